internal import HoldfastModel

/// Quoting for the shell.
package enum ShellText {
  /// Returns any text as one word.
  package static func quoted(_ text: String) -> String { "'" + text.escaping(["'": "'\\''"]) + "'" }

  /// Returns any text as one word, quoted only if the shell would interpret it. Characters that a terminal would obey
  /// are escaped as bash, ksh and zsh read it.
  package static func word(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "+")...UInt8(ascii: ":") ~= byte || "=_@".utf8.contains(byte)
    }
    guard text.unicodeScalars.allSatisfy({ Path.isPrintable($0) }) else { return escaped(text) }
    return isPlain && !text.isEmpty ? text : quoted(text)
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      if !Path.isPrintable(scalar) {
        for byte in String(scalar).utf8 { escaped += "\\x" + Hex.encode([byte]) }
      } else {
        if "'\\".unicodeScalars.contains(scalar) { escaped += "\\" }
        escaped.unicodeScalars.append(scalar)
      }
    }
    return "$'" + escaped + "'"
  }

  /// Returns any text as one word of a PostgreSQL command, in which a percent sign has a meaning.
  package static func quotedForServer(_ text: String) -> String { quoted(text).escaping(["%": "%%"]) }
}
