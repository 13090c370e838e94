internal import FoundationEssentials
internal import HoldfastModel

/// Quotes words for the files of a schedule, so that the command gets exactly these words.
package enum ScheduleText {
  /// True if a byte never needs quotes.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "/._-+=:,@".utf8.contains(byte)
    }
  }

  /// Returns a word of a command line in a unit (systemd.service(5), COMMAND LINES).
  package static func unitArgument(_ word: String) -> String { unitWord(word) { $0 == "$" ? "$$" : nil } }

  /// Returns a word of another setting in a unit, or the program of a command line; `$` has no meaning there.
  package static func unitValue(_ word: String) -> String { unitWord(word) { _ in nil } }

  private static func unitWord(_ word: String, _ special: (Unicode.Scalar) -> String?) -> String {
    guard word.isEmpty || !word.utf8.allSatisfy(isPlain) else { return word }
    var quoted = "\""
    for scalar in word.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "%": quoted += "%%"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f: quoted += "\\x" + Hex.encode([UInt8(scalar.value)])
      default: quoted += special(scalar) ?? String(scalar)
      }
    }
    return quoted + "\""
  }

  /// Returns a word of a command line in a crontab.
  ///
  /// cron turns `%` into a newline, removes the backslash from `\%`, and its versions differ in what they do with `\\`.
  /// So a word with a backslash is written with escapes.
  package static func cronArgument(_ word: String) -> String {
    guard word.isEmpty || !word.utf8.allSatisfy(isPlain) else { return word }
    guard !word.utf8.contains(UInt8(ascii: "\\")) else {
      return "\"$(echo \(Data(word.utf8).base64EncodedString()) | base64 -d)\""
    }
    var quoted = "'"
    for scalar in word.unicodeScalars {
      switch scalar {
      case "%": quoted += "\\%"
      case "'": quoted += #"'"'"'"#
      default: quoted += String(scalar)
      }
    }
    return quoted + "'"
  }

  /// Returns a word of a command line, for people.
  package static func shown(_ word: String) -> String {
    !word.isEmpty && word.utf8.allSatisfy(isPlain) ? word : "\"\(word.isEmpty ? "" : Path(word).description)\""
  }

  /// True if a crontab line can contain the word.
  package static func fitsCron(_ word: String) -> Bool { !word.utf8.contains(UInt8(ascii: "\n")) }
}
