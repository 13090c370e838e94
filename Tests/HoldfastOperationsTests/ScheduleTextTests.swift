import Foundation
import HoldfastOperations
import HoldfastTestSupport
import Testing

/// A word arrives as it was, whatever is in it: through a unit, and through a crontab and a shell.
@Suite struct ScheduleTextTests {
  private static let seeds = (0..<4).map { _ in UInt64.random(in: .min ... .max) }
  /// Everything that means something to systemd, to cron or to a shell, and some that means nothing.
  private static let letters: [Unicode.Scalar] = Array(
    "ab0 \t\"'\\%$`;|&<>(){}[]*?!#~=@:+-_,./^\u{1}\u{7f}éß漢🦉\u{301}".unicodeScalars)

  private func words(_ seed: UInt64, _ letters: [Unicode.Scalar]) -> [String] {
    var random = SeededRandom(seed: seed)
    var words = ["", ";", "\\", "%", "$x", "${x}", "%%", "-", "@a", "a b", "\\x41", "$(touch x)"]
    for _ in 0..<200 {
      let count = Int.random(in: 1...8, using: &random)
      words.append(
        String(String.UnicodeScalarView((0..<count).compactMap { _ in letters.randomElement(using: &random) })))
    }
    return words
  }

  /// What systemd makes of a command line: systemd.service(5) and systemd.syntax(7), read anew.
  private func unitWords(_ line: String, expands: Bool) -> [String] {
    var words: [String] = []
    var rest = Array(line.unicodeScalars)[...]
    while let first = rest.first {
      if first == " " {
        rest.removeFirst()
        continue
      }
      var word = String.UnicodeScalarView()
      var quote: Unicode.Scalar?
      while let scalar = rest.popFirst() {
        if scalar == " ", quote == nil { break }
        if scalar == quote {
          quote = nil
        } else if quote == nil, scalar == "\"" || scalar == "'" {
          quote = scalar
        } else if scalar == "\\" {
          let escape = rest.removeFirst()
          if escape == "x" {
            word.append(Unicode.Scalar(UInt8(String(String.UnicodeScalarView(rest.prefix(2))), radix: 16) ?? 0))
            rest = rest.dropFirst(2)
          } else {
            word.append(escape)
          }
        } else if scalar == "%" || (expands && scalar == "$") {
          // Once it would be expanded.
          word.append(rest.first == scalar ? rest.removeFirst() : "☠")
        } else {
          word.append(scalar)
        }
      }
      words.append(String(word))
    }
    return words
  }

  @Test(arguments: seeds) func wordsPassThroughAUnit(seed: UInt64) {
    let words = words(seed, Self.letters + ["\n"])
    let line = words.map { ScheduleText.unitArgument($0) }.joined(separator: " ")
    #expect(!line.contains("\n"))
    #expect(unitWords(line, expands: true).map { Array($0.utf8) } == words.map { Array($0.utf8) }, "seed \(seed)")
    let values = words.map { ScheduleText.unitValue("X=" + $0) }.joined(separator: " ")
    #expect(
      unitWords(values, expands: false).map { Array($0.utf8) } == words.map { Array("X=\($0)".utf8) }, "seed \(seed)")
  }

  /// What cron makes of a command (crontab(5)), with a version of it that takes one of two backslashes and one that
  /// does not.
  private func unescapedByCron(_ text: String, halvesBackslashes: Bool) -> String? {
    var result = String.UnicodeScalarView()
    var rest = Array(text.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      if scalar == "%" { return nil }
      if scalar == "\\", rest.first == "%" || (halvesBackslashes && rest.first == "\\") {
        result.append(rest.removeFirst())
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  @Test(arguments: seeds) func wordsPassThroughACrontabAndAShell(seed: UInt64) throws {
    let words = words(seed, Self.letters)
    #expect(words.allSatisfy { ScheduleText.fitsCron($0) })
    let line = words.map { ScheduleText.cronArgument($0) }.joined(separator: " ")
    for halves in [false, true] {
      let command = try #require(
        unescapedByCron("printf '[%s]' ".replacing("%", with: "\\%") + line, halvesBackslashes: halves))
      let result = Tool().other("sh", "-c", command)
      #expect(result.outputBytes == words.flatMap { Array("[\($0)]".utf8) }, "seed \(seed)")
      #expect(result.error == "")
    }
  }

  @Test func aCrontabHoldsNoLineEnd() {
    #expect(!ScheduleText.fitsCron("a\nb"))
    #expect(!ScheduleText.fitsCron("a\r\nb"))
  }

  struct Cadences: Sendable, CustomTestStringConvertible {
    let text: String
    let calendar: String
    let cron: String?
    var testDescription: String { text }
    init(_ text: String, _ calendar: String, _ cron: String?) {
      (self.text, self.calendar, self.cron) = (text, calendar, cron)
    }
  }

  @Test(arguments: [
    Cadences("1m", "*-*-* *:00/1:00", "* * * * *"), Cadences("15m", "*-*-* *:00/15:00", "7-59/15 * * * *"),
    Cadences("30min", "*-*-* *:00/30:00", "7-59/30 * * * *"), Cadences("60m", "hourly", "37 * * * *"),
    Cadences("hourly", "hourly", "37 * * * *"), Cadences("6h", "*-*-* 00/6:00:00", "37 */6 * * *"),
    Cadences("24h", "daily", "37 0 * * *"), Cadences("1d", "daily", "37 0 * * *"),
    Cadences("daily", "daily", "37 0 * * *"), Cadences("weekly", "weekly", "37 0 * * 1"),
    Cadences("monthly", "monthly", "37 0 1 * *"), Cadences("02:30", "*-*-* 02:30:00", "30 2 * * *"),
    Cadences("*-*-* 02:00", "*-*-* 02:00:00", "0 2 * * *"), Cadences("*-*-* 2:05:00", "*-*-* 02:05:00", "5 2 * * *"),
    Cadences("Thu,Mon 23:59", "Mon,Thu *-*-* 23:59:00", "59 23 * * 1,4"),
    Cadences("Sun *-*-* 00:00", "Sun *-*-* 00:00:00", "0 0 * * 0"),
    Cadences("*-*-01 02:00", "*-*-01 02:00", nil), Cadences("Mon..Fri 08:00", "Mon..Fri 08:00", nil),
  ])
  func howOftenIsTheSameToSystemdAndCron(cadence: Cadences) throws {
    let read = try #require(Cadence(cadence.text))
    #expect(read.calendar == cadence.calendar)
    #expect(read.cron(minute: 37) == cadence.cron)
    let known = Tool().other("systemd-analyze", "calendar", read.calendar)
    #expect(known.exitStatus == 0, "\(known.error)")
  }

  @Test(arguments: ["", "7m", "0m", "5h", "2d", "61min", "a\nb", "%H", "'", "\\"])
  func whatDividesNothingIsNotACadence(text: String) {
    #expect(Cadence(text) == nil)
  }
}
