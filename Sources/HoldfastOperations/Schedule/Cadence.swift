package import HoldfastModel

/// The frequency of a run, in the notations of systemd and cron.
package struct Cadence: Sendable, Equatable {
  private enum Kind: Equatable {
    case minutes(Int)
    case hours(Int)
    case daily, weekly, monthly
    case at(hour: Int, minute: Int, days: [Int])
    /// A calendar event that only systemd understands.
    case calendar
  }

  /// The text as it was given.
  package let text: String
  private let kind: Kind

  /// The days of the week, in cron's order.
  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

  /// - Parameter text: `15m`, `6h`, `hourly`, `daily`, `weekly`, `monthly`, `02:30`, `Mon,Thu 02:30`, or a calendar
  ///   event of systemd.time(7).
  package init?(_ text: String) {
    self.text = text
    // The text becomes a part of units and of command lines.
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) && !"%'\\".utf8.contains($0) }) else {
      return nil
    }
    switch text {
    case "hourly": kind = .hours(1)
    case "daily": kind = .daily
    case "weekly": kind = .weekly
    case "monthly": kind = .monthly
    default:
      if let kind = Self.interval(text) {
        self.kind = kind
      } else if ["m", "min", "h", "d"].contains(text.drop { $0.isNumber }) {
        // The number does not divide an hour or a day.
        return nil
      } else {
        kind = Self.timeOfDay(text) ?? .calendar
      }
    }
  }

  /// An interval must divide the hour or the day, because cron and calendar events begin again with each.
  private static func interval(_ text: String) -> Kind? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), number > 0 else { return nil }
    switch text.dropFirst(digits.count) {
    case "m" where number == 60, "min" where number == 60: return .hours(1)
    case "m" where 60.isMultiple(of: number), "min" where 60.isMultiple(of: number): return .minutes(number)
    case "h" where number == 24: return .daily
    case "h" where 24.isMultiple(of: number): return .hours(number)
    case "d" where number == 1: return .daily
    default: return nil
    }
  }

  /// `[Mon,Tue] [*-*-*] HH:MM[:00]`
  private static func timeOfDay(_ text: String) -> Kind? {
    var words = text.split(separator: " ").map(String.init)
    guard let time = words.popLast() else { return nil }
    var days: [Int] = []
    if let first = words.first, first != "*-*-*" {
      for name in first.split(separator: ",", omittingEmptySubsequences: false) {
        guard let day = Self.days.firstIndex(of: String(name)), !days.contains(day) else { return nil }
        days.append(day)
      }
      words.removeFirst()
    }
    guard words.isEmpty || words == ["*-*-*"] else { return nil }
    let fields = time.split(separator: ":", omittingEmptySubsequences: false)
    guard fields.count == 2 || (fields.count == 3 && fields[2] == "00"),
      fields.allSatisfy({ (1...2).contains($0.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let hour = Int(fields[0]), let minute = Int(fields[1]), hour < 24, minute < 60
    else { return nil }
    return .at(hour: hour, minute: minute, days: days.sorted())
  }

  /// The value of `OnCalendar=`.
  package var calendar: String {
    switch kind {
    case .minutes(let count): "*-*-* *:00/\(count):00"
    case .hours(1): "hourly"
    case .hours(let count): "*-*-* 00/\(count):00:00"
    case .daily, .weekly, .monthly: text == "24h" || text == "1d" ? "daily" : text
    case .at(let hour, let minute, let days):
      (days.map { Self.days[$0] }.joined(separator: ",") + " *-*-* \(Self.padded(hour)):\(Self.padded(minute)):00")
        .trimmingLeadingBlank
    case .calendar: text
    }
  }

  /// Returns the first five fields of a crontab line; `nil` when cron cannot express it.
  /// - Parameter minute: the minute to use when the text names none, so that not all machines begin at the same one.
  package func cron(minute: Int) -> String? {
    switch kind {
    case .minutes(1): "* * * * *"
    case .minutes(let count): "\(minute % count)-59/\(count) * * * *"
    case .hours(1): "\(minute) * * * *"
    case .hours(let count): "\(minute) */\(count) * * *"
    case .daily: "\(minute) 0 * * *"
    case .weekly: "\(minute) 0 * * 1"
    case .monthly: "\(minute) 0 1 * *"
    case .at(let hour, let exact, let days):
      "\(exact) \(hour) * * " + (days.isEmpty ? "*" : days.map(String.init).joined(separator: ","))
    case .calendar: nil
    }
  }

  /// The largest random delay, so that many machines do not begin together; 0 when the text names a time of day.
  package var delay: TimeSpan {
    switch kind {
    case .minutes(let count): .minutes(Double(count)) / 10
    case .hours: .minutes(5)
    case .daily, .weekly, .monthly: .minutes(30)
    case .at, .calendar: .zero
    }
  }

  /// The time from one run to the next, if the text says a number of minutes or hours.
  package var interval: TimeSpan? {
    switch kind {
    case .minutes(let count): .minutes(Double(count))
    case .hours(let count): .hours(Double(count))
    case .daily, .weekly, .monthly, .at, .calendar: nil
    }
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension String {
  fileprivate var trimmingLeadingBlank: String { hasPrefix(" ") ? String(dropFirst()) : self }
}

extension Cadence: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let cadence = Cadence(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a cadence")
    }
    self = cadence
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
