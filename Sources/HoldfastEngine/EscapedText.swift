extension String {
  /// Returns the text with each of some scalars replaced, as quoting needs it.
  ///
  /// `replacing` looks at characters, and misses a quote with a combining mark behind it, or the line end in `\r\n`: a
  /// server and a shell read both as bytes.
  package func escaping(_ scalars: [Unicode.Scalar: String]) -> String {
    var text = UnicodeScalarView()
    for scalar in unicodeScalars {
      if let escape = scalars[scalar] {
        text.append(contentsOf: escape.unicodeScalars)
      } else {
        text.append(scalar)
      }
    }
    return String(text)
  }
}
