import Glibc

/// Points in time as RFC 3339 writes them, without Foundation: `2026-11-21T11:09:04.123456Z`.
package enum RFC3339 {
  /// The present time in microseconds.
  package static func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return string(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
  }

  /// - Parameter seconds: since 1970-01-01T00:00:00Z, within years 0 to 9999.
  package static func string(seconds: Int64, nanoseconds: Int64) -> String {
    let (days, second) = floorDivide(seconds, by: 86_400)
    let (year, month, day) = civil(daysSince1970: days)
    var text = ""
    text.reserveCapacity(27)
    append(year, digits: 4, to: &text)
    text += "-"
    append(month, digits: 2, to: &text)
    text += "-"
    append(day, digits: 2, to: &text)
    text += "T"
    append(second / 3600, digits: 2, to: &text)
    text += ":"
    append(second / 60 % 60, digits: 2, to: &text)
    text += ":"
    append(second % 60, digits: 2, to: &text)
    text += "."
    append(nanoseconds / 1000, digits: 6, to: &text)
    text += "Z"
    return text
  }

  /// The proleptic Gregorian date of a day: eras of 400 years (146 097 days) that begin on 1 March, so that the leap
  /// day is the last of its year.
  private static func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }

  private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func append(_ number: Int64, digits: Int, to text: inout String) {
    let plain = String(number)
    for _ in plain.utf8.count..<max(digits, plain.utf8.count) { text += "0" }
    text += plain
  }
}
