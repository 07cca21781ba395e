import Glibc

/// Writes the Swift types of the CSI protocol from a descriptor set that protoc made with
/// `--include_imports --include_source_info`.
@main
struct Generate {
  static func main() {
    guard CommandLine.arguments.count == 3 else {
      complain("usage: csi-generate <descriptor set> <output directory>")
      exit(64)
    }
    do {
      let schema = try Schema(descriptorSet: try read(CommandLine.arguments[1]), package: "csi.v1")
      for file in SwiftFile.files(for: schema) {
        try write(file.text, to: CommandLine.arguments[2] + "/" + file.name)
      }
    } catch {
      complain("csi-generate: \(error)")
      exit(1)
    }
  }

  private static func complain(_ text: String) {
    let line = text + "\n"
    _ = line.withCString { Glibc.write(2, $0, line.utf8.count) }
  }

  private static func read(_ path: String) throws(GenerateError) -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw GenerateError("cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    guard ferror(file) == 0 else { throw GenerateError("cannot read \(path)") }
    return bytes
  }

  private static func write(_ text: String, to path: String) throws(GenerateError) {
    guard let file = fopen(path, "wb") else { throw GenerateError("cannot write \(path)") }
    let written = fwrite(text, 1, text.utf8.count, file)
    guard fclose(file) == 0, written == text.utf8.count else { throw GenerateError("cannot write \(path)") }
  }
}

/// Why nothing was generated.
struct GenerateError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
