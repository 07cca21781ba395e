/// Time limits, for machines slower than usual: `STOWAGE_TEST_PATIENCE` multiplies them.
enum Patience {
  static let factor = Program.environment["STOWAGE_TEST_PATIENCE"].flatMap { Double($0) } ?? 1

  static func seconds(_ count: Double) -> Duration { .seconds(count * factor) }
}
