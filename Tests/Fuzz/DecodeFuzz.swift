// Fuzz target for everything that reads foreign bytes in CSI. hack/fuzz-decode compiles it into one module with the
// sources of CSI and with WireSample, from which the first inputs come.
//
// Input: one byte that chooses a message, one that chooses the form, and the serialized message or the JSON text.
internal import Glibc

/// Writes one input per message and form into the directory that STOWAGE_FUZZ_SEEDS names.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ argc: UnsafeMutablePointer<CInt>, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  guard let directory = getenv("STOWAGE_FUZZ_SEEDS") else { return 0 }
  for (index, type) in allMessages.enumerated() {
    for alternative in 0..<2 {
      var sample = WireSample(alternative: alternative)
      let bytes = sample.bytes(of: type)
      let json = (try? type.init(serialized: bytes).json.text) ?? ""
      for (form, content) in [bytes, Array(json.utf8)].enumerated() {
        guard let file = fopen("\(String(cString: directory))/\(index)-\(alternative)-\(form)", "wb") else { return 1 }
        let input = [UInt8(index), UInt8(form)] + content
        fwrite(input, 1, input.count, file)
        fclose(file)
      }
    }
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count >= 2 else { return 0 }
  let type = allMessages[Int(start[0]) % allMessages.count]
  let content = UnsafeRawBufferPointer(start: start + 2, count: count - 2)
  if start[1] % 2 == 0 {
    if let message = try? type.init(serialized: content) { check(message) }
  } else if let json = try? JSON(parsing: String(decoding: content, as: UTF8.self)) {
    precondition((try? JSON(parsing: json.text)) == json)
    precondition((try? JSON(parsing: json.prettyText)) == json)
    if let message = try? type.init(json: json) { check(message) }
  }
  return 0
}

/// What holds of any message that was let in.
private func check<M: CSIMessage>(_ message: M) {
  guard let bytes = try? message.serialized() else { preconditionFailure("cannot be written") }
  precondition((try? M(serialized: bytes)) == message, "changed on the way")
  let json = message.json
  precondition((try? JSON(parsing: json.text)) == json)
  precondition((try? JSON(parsing: message.description)) != nil)
  if !json.text.contains(SecretMap.stripped) { precondition((try? M(json: json)) == message, "changed by JSON") }
}
