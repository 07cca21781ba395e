import Glibc
import Host

/// Two roles for the tests of the freeze guard: `freeze-guard PATH...` is the guard; `hold PATH...` freezes through a
/// guard, says so and stays until it is killed.
@main struct Main {
  static func main() async {
    let arguments = CommandLine.arguments
    switch arguments.dropFirst().first {
    case "freeze-guard": exit(FreezeGuard.runGuard(Array(arguments.dropFirst(2))))
    case "hold":
      do {
        let held = try await FreezeGuard.freeze(Array(arguments.dropFirst(2)))
        print("held")
        fflush(nil)
        while true { pause() }
        try await held.thaw()
      } catch {
        print("failed: \(error)")
        exit(1)
      }
    default: exit(2)
    }
  }
}
