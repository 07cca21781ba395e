internal import CCSI

/// A point in time, `google.protobuf.Timestamp`.
package struct Timestamp: CSIMessage {
  package static let messageName = "Timestamp"

  /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
  package var seconds: Int64
  /// Nanoseconds within the second, 0 to 999 999 999.
  package var nanos: Int32

  package init(seconds: Int64 = 0, nanos: Int32 = 0) {
    self.seconds = seconds
    self.nanos = nanos
  }
  package init() { self.init(seconds: 0) }
}

extension Timestamp: WireMessage {
  typealias C = Google__Protobuf__Timestamp

  static func initialize(_ c: UnsafeMutablePointer<C>) { google__protobuf__timestamp__init(c) }

  init(_ c: UnsafePointer<C>) throws(CSIDecodeError) {
    self.init(seconds: c.pointee.seconds, nanos: c.pointee.nanos)
  }

  func fill(_ c: UnsafeMutablePointer<C>, _ arena: Arena) throws(CSIEncodeError) {
    c.pointee.seconds = seconds
    c.pointee.nanos = nanos
  }
}

extension Timestamp {
  /// Reads `"2030-01-02T03:04:05.5Z"` (RFC 3339, any offset) or `{"seconds": ..., "nanos": ...}`.
  package init(json: JSON) throws(JSONError) {
    if case .string(let text) = json {
      guard let time = Timestamp(rfc3339: text) else { throw JSONError("not a time of RFC 3339") }
      self = time
      return
    }
    self.init()
    try json.forEachField(of: Self.messageName) { (key, value) throws(JSONError) in
      switch key {
      case "seconds": seconds = try value.int64Field()
      case "nanos": nanos = try value.int32Field()
      default: return false
      }
      return true
    }
  }

  /// RFC 3339 in UTC; `{"seconds": ..., "nanos": ...}` outside of what that can say.
  package func json(redacting: Bool) -> JSON {
    if let text = rfc3339 { return .string(text) }
    var fields = JSONFields(redacting: redacting)
    fields.add("seconds", seconds)
    fields.add("nanos", nanos)
    return fields.object
  }

  /// Such as `2030-01-02T03:04:05.500Z`, with 0, 3, 6 or 9 digits of a second; nil outside the years 1 to 9999.
  package var rfc3339: String? {
    // 0001-01-01 and 9999-12-31, the range of google.protobuf.Timestamp.
    guard (-62_135_596_800...253_402_300_799).contains(seconds), (0...999_999_999).contains(nanos) else { return nil }
    let day = seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400)
    let second = seconds - day * 86_400
    let date = CivilDate(daysSince1970: day)
    var text = padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2)
    text += "T" + padded(second / 3600, 2) + ":" + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2)
    if nanos != 0 {
      var fraction = Int64(nanos)
      var digits = 9
      while fraction % 1000 == 0 {
        fraction /= 1000
        digits -= 3
      }
      text += "." + padded(fraction, digits)
    }
    return text + "Z"
  }

  /// Reads a time of RFC 3339; nil when it is none.
  package init?(rfc3339 text: String) {
    var rest = Array(text.utf8)[...]
    func number(_ digits: Int) -> Int64? {
      guard rest.count >= digits, rest.prefix(digits).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      defer { rest = rest.dropFirst(digits) }
      return rest.prefix(digits).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }
    func take(_ characters: String) -> Bool {
      guard let first = rest.first, characters.utf8.contains(first) else { return false }
      rest = rest.dropFirst()
      return true
    }
    guard let year = number(4), year >= 1, take("-"), let month = number(2), (1...12).contains(month), take("-"),
      let day = number(2), (1...31).contains(day), take("Tt "), let hour = number(2), hour < 24, take(":"),
      let minute = number(2), minute < 60, take(":"), let second = number(2), second < 60
    else { return nil }
    let date = CivilDate(year: year, month: month, day: day)
    guard CivilDate(daysSince1970: date.daysSince1970) == date else { return nil }
    var nanos: Int64 = 0
    if take(".") {
      let digits = rest.prefix { (0x30...0x39).contains($0) }.count
      guard (1...9).contains(digits), let fraction = number(digits) else { return nil }
      nanos = (digits..<9).reduce(fraction) { value, _ in value * 10 }
    }
    var offset: Int64 = 0
    if !take("Zz") {
      let isWest = rest.first == UInt8(ascii: "-")
      guard take("+-"), let hours = number(2), hours < 24, take(":"), let minutes = number(2), minutes < 60 else {
        return nil
      }
      offset = (hours * 60 + minutes) * (isWest ? -60 : 60)
    }
    guard rest.isEmpty else { return nil }
    self.init(
      seconds: date.daysSince1970 * 86_400 + hour * 3600 + minute * 60 + second - offset, nanos: Int32(nanos))
  }
}

private func padded(_ value: Int64, _ digits: Int) -> String {
  let text = String(value)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// A day of the Gregorian calendar. The arithmetic counts years from March, so that the leap day comes last.
private struct CivilDate: Equatable {
  var year: Int64
  var month: Int64
  var day: Int64

  init(year: Int64, month: Int64, day: Int64) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// Days from 0000-03-01 to 1970-01-01.
  private static let epoch: Int64 = 719_468
  private static let daysIn400Years: Int64 = 146_097

  init(daysSince1970: Int64) {
    let days = daysSince1970 + Self.epoch
    let era = (days >= 0 ? days : days - Self.daysIn400Years + 1) / Self.daysIn400Years
    let dayOfEra = days - era * Self.daysIn400Years
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  var daysSince1970: Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * Self.daysIn400Years + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.epoch
  }
}
