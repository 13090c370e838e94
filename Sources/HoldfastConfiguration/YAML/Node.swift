/// A part of a configuration file, with its position.
struct Node {
  struct Pair {
    let key: String
    let position: FilePosition
    var value: Node
  }

  enum Content {
    /// - Parameter isPlain: true if it is written without quotes.
    case scalar(String, isPlain: Bool)
    case sequence([Node])
    case mapping([Pair])
  }

  let position: FilePosition
  var content: Content

  /// True if a key has no value.
  var isEmpty: Bool {
    switch content {
    case .scalar(let text, let isPlain): isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
    case .sequence(let nodes): nodes.isEmpty
    case .mapping(let pairs): pairs.isEmpty
    }
  }

  /// The kind of the node in messages.
  var kindName: String {
    switch content {
    case .scalar: "a value"
    case .sequence: "a list"
    case .mapping: "a map"
    }
  }
}
