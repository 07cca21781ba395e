import ArgumentParser
import CSI
import Configuration

/// `stowage csi call`: every RPC there is, with a request in JSON.
struct Call: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Make any RPC with a request in JSON.",
    discussion: """
      The request is the JSON form of the protobuf message: fields in snake_case or lowerCamelCase, enums by name, 64-bit \
      numbers as numbers or text. The answer is printed as JSON; the answers of a stream one in a line.

      Examples:
        stowage csi call Probe
        stowage csi call ListVolumes '{"max_entries": 10}'
        stowage csi call Node/NodeGetInfo
        echo '{"volume_id": "data"}' | stowage csi call DeleteVolume -
        stowage csi call --list
      """)

  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The RPC: CreateVolume, Controller/CreateVolume or /csi.v1.Controller/CreateVolume.")
  var rpc: String?
  @Argument(help: "The request; - reads it from stdin, nothing is an empty request.") var json: String?
  @Flag(help: "List all RPCs.") var list = false
  @OptionGroup var secrets: SecretOptions

  func validate() throws {
    guard list == (rpc == nil) else { throw ValidationError("Which RPC? \"stowage csi call --list\" shows them all.") }
    if json == "-", secrets.secrets == "-" {
      throw ValidationError("stdin holds the request or the secrets, not both.")
    }
  }

  mutating func run() async throws {
    guard let rpc else {
      for method in allMethods {
        print(
          "\(method.service)/\(method.name)\(method.isStreaming ? "  stream" : "")\(method.isAlpha ? "  alpha" : "")")
      }
      return
    }
    let environment = Configuration.processEnvironment
    let method = try Self.method(named: rpc)
    let request = try request(for: method, environment: environment)
    try await connection.withClient(environment) { client in
      try await client.call(method, json: request) { message in
        print(method.isStreaming ? message.json.text : message.json.prettyText)
      }
    }
  }

  /// The RPC that a name means, whatever its case and however much of the path is given.
  static func method(named name: String) throws -> AnyMethod {
    let wanted = name.lowercased()
    let found = allMethods.first { method in
      let path = method.path.lowercased()
      return path == wanted || path.hasSuffix("/" + wanted) || path.hasSuffix("." + wanted)
    }
    guard let found else {
      throw ValidationError("There is no RPC \"\(name)\"; \"stowage csi call --list\" shows them all.")
    }
    return found
  }

  /// The request with the secrets put in.
  func request(for method: AnyMethod, environment: [String: String]) throws -> JSON {
    let text = json == "-" ? String(decoding: try standardInput(), as: UTF8.self) : json ?? "{}"
    let value: JSON
    do { value = try JSON(parsing: text) } catch { throw ValidationError("The request is not JSON: \(error)") }
    guard case .object(var members) = value else { throw ValidationError("The request must be a JSON object.") }
    if json != "-", members.contains(where: { $0.key == "secrets" }) {
      throw ValidationError("Secrets must not stand in arguments, which everybody on the host can read: use --secrets.")
    }
    let credentials = try secrets.load(environment: environment).reveal()
    // The variable may be set for all calls: those without secrets do not get them.
    if !credentials.isEmpty, secrets.secrets != nil || Self.takesSecrets(method) {
      members.removeAll { $0.key == "secrets" }
      members.append(
        JSON.Member(
          "secrets", .object(credentials.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value)) })))
    }
    return .object(members)
  }

  private static func takesSecrets(_ method: AnyMethod) -> Bool {
    (try? method.request.init(json: ["secrets": [:] as JSON])) != nil
  }
}
