internal import HoldfastOperations

/// An unfinished command line, as a shell passes it for completion: words with their quotes, the program first.
struct TypedLine {
  private let words: [String]

  init(_ words: [String]) { self.words = words }

  /// Returns the value of an option, without its quotes.
  /// - Returns: `nil` when the option is missing, or only the shell could expand its value.
  func value(ofShort short: String? = nil, long: String) -> String? {
    for (index, word) in words.enumerated() {
      if word == long || word == short {
        // bash treats `=` as a word.
        let next = index + 1 < words.count && words[index + 1] == "=" ? index + 2 : index + 1
        return next < words.count ? Self.unquoted(words[next]) : nil
      }
      if word.hasPrefix(long + "=") { return Self.unquoted(String(word.dropFirst(long.count + 1))) }
      if let short, word.hasPrefix(short), word.count > short.count {
        return Self.unquoted(String(word.dropFirst(short.count)))
      }
    }
    return nil
  }

  /// The words after the name of the command, without their quotes.
  var arguments: [String] { words.dropFirst(2).compactMap(Self.unquoted) }

  /// Returns the meaning of a word; `nil` when the shell would have to run or expand something.
  static func unquoted(_ word: String) -> String? {
    var text = ""
    var quote: Character?
    var rest = word[...]
    if rest == "~" || rest.hasPrefix("~/"), let home = ProcessEnvironment.ofThisProcess.value("HOME") {
      text = home
      rest = rest.dropFirst()
    }
    while let character = rest.popFirst() {
      switch (character, quote) {
      case (let mark, let open?) where mark == open: quote = nil
      case ("'", nil), ("\"", nil): quote = character
      case ("\\", nil): text += rest.popFirst().map { String($0) } ?? ""
      case ("\\", "\""):
        let escaped = rest.popFirst()
        text += escaped.map { "$`\"\\".contains($0) ? String($0) : "\\\($0)" } ?? ""
      case ("$", nil), ("$", "\""), ("`", nil), ("`", "\""): return nil
      default: text.append(character)
      }
    }
    return text
  }
}
