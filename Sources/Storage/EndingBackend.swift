/// A backend with work that goes on behind calls, which is to come to its end before the process does: the process may be
/// the first of its container, and all others go with it.
package protocol EndingBackend: StorageBackend {
  /// Takes no more work and waits for what runs, at most so long.
  func end(within limit: Duration) async
}
