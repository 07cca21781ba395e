/// When objects in transition are looked at: early first, then ever more rarely.
package struct PollSchedule: Sendable, Hashable {
  /// From the beginning of a wait to its first look, and the least time between two rounds.
  package var first = Duration.milliseconds(300)
  package var longest = Duration.seconds(3)
  package var factor = 1.5
  /// Up to so many objects are asked for one by one; of more, the list is.
  package var singly = 3

  package init() {}

  /// The time from one look at an object to the next.
  /// - Parameter looks: how often it was looked at.
  package func interval(after looks: Int) -> Duration {
    var interval = first
    for _ in 0..<min(looks, 64) where interval < longest { interval = interval * factor }
    return min(interval, longest)
  }
}

/// How objects of a kind are looked at.
package struct PollSource<Object: Sendable>: Sendable {
  /// Which objects a list must tell.
  package enum Extent: Sendable, Hashable {
    /// All of them: what is missing does not exist, or is not of those that the list is made of.
    case all
    /// Those that changed after this moment: what is missing has not changed.
    case changed(since: ContinuousClock.Instant)
  }

  /// A round's list.
  package struct Listing: Sendable {
    package var objects: [ResourceID: Object]
    /// What is missing in it does not exist: it needs no question of its own.
    package var isWhole: Bool
    /// It holds changed objects only.
    package var isPartial: Bool

    package init(objects: [ResourceID: Object], isWhole: Bool, isPartial: Bool = false) {
      self.objects = objects
      self.isWhole = isWhole
      self.isPartial = isPartial
    }
  }

  /// Whose objects they are, for messages.
  package var service: ServiceKind
  /// `volume`, for messages.
  package var kind: String
  /// nil when there is no such object.
  package var get: @Sendable (ResourceID, ContinuousClock.Instant) async throws -> Object?
  /// May answer with all where changes are asked for.
  package var list: @Sendable (Extent, ContinuousClock.Instant) async throws -> Listing
  /// The object's state, for messages.
  package var state: @Sendable (Object) -> String

  package init(
    _ service: ServiceKind, kind: String,
    get: @escaping @Sendable (ResourceID, ContinuousClock.Instant) async throws -> Object?,
    list: @escaping @Sendable (Extent, ContinuousClock.Instant) async throws -> Listing,
    state: @escaping @Sendable (Object) -> String
  ) {
    self.service = service
    self.kind = kind
    self.get = get
    self.list = list
    self.state = state
  }
}
