/// A piece of HTML or SVG. Text is escaped when it becomes one, so that no name of a file can be read as markup.
struct HTML {
  private(set) var text: String

  private init(text: String) { self.text = text }

  /// Text without markup.
  static func text(_ text: String) -> HTML { HTML(text: escaped(text)) }

  /// Several pieces, one after the other.
  static func all(_ pieces: [HTML]) -> HTML { HTML(text: pieces.map(\.text).joined()) }

  /// An element with a beginning and an end.
  static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: HTML...
  ) -> HTML {
    HTML(text: "<\(name)\(list(attributes))>\(all(content).text)</\(name)>\n")
  }

  /// An element that holds only text.
  static func element(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: String) -> HTML {
    element(name, attributes, .text(content))
  }

  /// The content of `<style>`, which HTML does not escape. It comes from this program alone.
  static func style(_ css: StaticString) -> HTML { HTML(text: "<style>\(css)</style>\n") }

  /// A whole page, which XML parsers read, too.
  static func page(title: String, head: HTML, body: HTML) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8"/>
    <meta name="color-scheme" content="light dark"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
    <title>\(escaped(title))</title>
    \(head.text)</head>
    <body>
    \(body.text)</body>
    </html>

    """
  }

  private static func list(_ attributes: KeyValuePairs<String, String>) -> String {
    attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
  }

  /// Escapes markup. Control characters become question marks: browsers refuse some, and show others as nothing.
  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\n": escaped += "\n"
      case _ where scalar.properties.generalCategory == .control: escaped += "?"
      // They would change the order in which the characters around them are shown.
      case _ where scalar.properties.isBidiControl: escaped += "?"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
