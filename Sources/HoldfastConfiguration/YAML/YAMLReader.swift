internal import CYAML
internal import HoldfastModel

/// Makes nodes of the events that libyaml finds in a file. Length, nesting, and the number of nodes that aliases make
/// are bounded, because a file may be hostile.
struct YAMLReader: ~Copyable {
  static let depthMax = 16
  static let nodesMax = 20_000

  private struct Anchored {
    let node: Node
    let count: Int
  }

  private let file: Path
  private let bytes: [UInt8]
  private let events: YAMLEvents
  private var anchors: [String: Anchored] = [:]
  private var count = 0
  private var duplicates: [Mistake] = []

  /// - Returns: the document in the file, `nil` when it is empty; and keys that occur twice.
  static func read(_ bytes: [UInt8], of file: Path) throws(Mistake) -> (Node?, [Mistake]) {
    try Self.checkEncoding(bytes, of: file)
    var reader = YAMLReader(bytes, of: file)
    return (try reader.document(), reader.duplicates)
  }

  private init(_ bytes: [UInt8], of file: Path) {
    self.file = file
    self.bytes = bytes
    events = YAMLEvents(bytes)
  }

  private static func checkEncoding(_ bytes: [UInt8], of file: Path) throws(Mistake) {
    guard String(validating: bytes, as: UTF8.self) == nil else { return }
    var offset = 0
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { offset += UTF8.width(scalar) }
    throw Mistake(
      position(of: offset, in: bytes, file), "the file is not UTF-8",
      hint: "Save it as UTF-8: `iconv -f latin1 -t utf8` makes that of Latin-1.")
  }

  private static func position(of offset: Int, in bytes: [UInt8], _ file: Path) -> FilePosition {
    let before = bytes[..<min(offset, bytes.count)]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let column = String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count + 1
    return FilePosition(file, line: line, column: column)
  }

  // MARK: Events

  private mutating func next() throws(Mistake) -> YAMLEvents.Event {
    switch events.next() {
    case .success(let event): return event
    case .failure(let failure):
      let position =
        failure.offset.map { Self.position(of: $0, in: bytes, file) }
        ?? FilePosition(file, line: failure.line, column: failure.column)
      throw Mistake(
        position, "it is not YAML: \(failure.problem)",
        hint: "Indent with blanks, not tabs, and put a text with `: ` or ` #` in it between quotes.")
    }
  }

  private func position(_ event: YAMLEvents.Event) -> FilePosition {
    FilePosition(file, line: event.line, column: event.column)
  }

  private mutating func document() throws(Mistake) -> Node? {
    _ = try next()
    guard case .documentStart = try next().kind else { return nil }
    let node = try node(at: next(), depth: 0)
    _ = try next()
    let end = try next()
    guard case .streamEnd = end.kind else {
      throw Mistake(
        position(end), "a second document begins here",
        hint: "Put everything into one document, or another file into conf.d.")
    }
    return node
  }

  // MARK: Nodes

  private mutating func node(at event: YAMLEvents.Event, depth: Int) throws(Mistake) -> Node {
    guard depth <= Self.depthMax else {
      throw Mistake(
        position(event), "it is nested too deep", hint: "No configuration needs more than \(Self.depthMax) levels.")
    }
    if let tag = event.tag, !tag.hasPrefix("tag:yaml.org,2002:"), tag != "!" {
      throw Mistake(position(event), "tags such as \(Path(tag)) are not understood", hint: "Leave it out.")
    }
    let before = count
    try add(1, at: event)
    let node: Node
    switch event.kind {
    case .alias(let name):
      guard let known = anchors[name] else {
        throw Mistake(
          position(event), "there is no anchor &\(Path(name)) above",
          hint: "Put a text that begins with * between quotes."
        )
      }
      try add(known.count, at: event)
      return known.node
    case .scalar(let text, let isPlain):
      node = Node(position: position(event), content: .scalar(text, isPlain: isPlain))
    case .sequenceStart: node = Node(position: position(event), content: .sequence(try items(depth: depth)))
    case .mappingStart: node = Node(position: position(event), content: .mapping(try pairs(depth: depth)))
    default: throw Mistake(position(event), "it is not YAML: something is missing here", hint: nil)
    }
    if let anchor = event.anchor { anchors[anchor] = Anchored(node: node, count: count - before) }
    return node
  }

  private mutating func add(_ nodes: Int, at event: YAMLEvents.Event) throws(Mistake) {
    count += nodes
    guard count <= Self.nodesMax else {
      throw Mistake(
        position(event), "it has too many parts",
        hint: "No configuration needs more than \(Self.nodesMax); look at its aliases.")
    }
  }

  private mutating func items(depth: Int) throws(Mistake) -> [Node] {
    var items: [Node] = []
    while true {
      let event = try next()
      if case .end = event.kind { return items }
      items.append(try node(at: event, depth: depth + 1))
    }
  }

  private mutating func pairs(depth: Int) throws(Mistake) -> [Node.Pair] {
    var pairs: [Node.Pair] = []
    var positions: [String: FilePosition] = [:]
    while true {
      let event = try next()
      if case .end = event.kind { return pairs }
      let key = try node(at: event, depth: depth + 1)
      guard case .scalar(let text, _) = key.content else {
        throw Mistake(position(event), "\(key.kindName) cannot be a key", hint: "Write `key: value`.")
      }
      let value = try node(at: next(), depth: depth + 1)
      if let first = positions[text] {
        duplicates.append(
          Mistake(
            position(event), "the key \(Path(text)) stands here and in line \(first.line)", hint: "Keep one of the two."
          ))
      } else {
        positions[text] = position(event)
        pairs.append(Node.Pair(key: text, position: position(event), value: value))
      }
    }
  }
}
