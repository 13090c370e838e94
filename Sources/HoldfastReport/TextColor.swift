/// A colour in which a terminal shows text: red for errors, yellow for warnings, green for what is well.
package enum TextColor: String, Sendable {
  case red = "31"
  case yellow = "33"
  case green = "32"

  /// Returns a text in this colour (ECMA-48, SGR). Only its first line has the colour: hints follow on others.
  package func shown(_ text: String) -> String {
    let end = text.firstIndex(of: "\n") ?? text.endIndex
    return "\u{1B}[\(rawValue)m\(text[..<end])\u{1B}[0m\(text[end...])"
  }
}
