/// The text of a settings file of a server (`postgresql.auto.conf`), one setting on each line.
package enum SettingsText {
  /// Returns the file with the settings of some names as comments, and with a line end after its last line.
  /// - Parameter isSilenced: gets the name of a setting in lower case.
  package static func silenced(_ file: [UInt8], where isSilenced: (String) -> Bool) -> [UInt8] {
    let end = UInt8(ascii: "\n")
    var lines = file.split(separator: end, omittingEmptySubsequences: false).map { line in
      isSilenced(name(in: line)) ? Array("# before a restore: ".utf8) + line : Array(line)
    }
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    return lines.flatMap { $0 + [end] }
  }

  private static func name(in line: ArraySlice<UInt8>) -> String {
    let spaces = " \t".utf8
    let text = line.drop { spaces.contains($0) }.prefix { !spaces.contains($0) && $0 != UInt8(ascii: "=") }
    return String(decoding: text, as: UTF8.self).lowercased()
  }
}
