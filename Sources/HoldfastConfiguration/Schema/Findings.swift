internal import HoldfastModel

/// The contents of the files, checked against the schema: values by their key paths.
struct Findings {
  struct Entry {
    let texts: [String]
    /// The position of the value.
    let position: FilePosition
  }

  private(set) var entries: [[String]: Entry] = [:]
  /// The positions of maps. The position of a map whose name the site chose is that of the name.
  private(set) var sections: [[String]: FilePosition] = [:]
  /// The keys that exist, with or without a sound value.
  private(set) var seen: Set<[String]> = []
  /// The maps that directly contain a mistake. A key that seems to be missing there may be the one with the mistake.
  private(set) var faulty: Set<[String]> = []
  /// The names below a top-level key, in the order of the file.
  private(set) var names: [String: [String]] = [:]
  /// The names of the maps in a list, in the order of the file.
  private(set) var items: [[String]: [String]] = [:]
  var mistakes: [Mistake] = []

  init(_ root: Node, _ schema: Schema) {
    check(root, against: schema.root, context: "the configuration", way: [], schema)
  }

  private mutating func note(_ position: FilePosition, _ message: String, hint: String?) {
    mistakes.append(Mistake(position, message, hint: hint))
  }

  // MARK: Maps

  private mutating func check(
    _ node: Node, against rules: [KeyRule], context: String, way: [String], _ schema: Schema
  ) {
    guard let pairs = pairs(of: node, way.last ?? context, Self.example(rules)) else { return }
    sections[way] = node.position
    for pair in pairs {
      guard let rule = rules.first(where: { $0.name == pair.key }) else {
        faulty.insert(way)
        noteUnknown(pair, among: rules, context, schema)
        continue
      }
      seen.insert(way + [rule.name])
      check(pair.value, rule, at: pair.position, way: way + [rule.name], schema)
    }
  }

  private mutating func check(_ node: Node, _ rule: KeyRule, at position: FilePosition, way: [String], _ schema: Schema)
  {
    guard !node.isEmpty else {
      faulty.insert(Array(way.dropLast()))
      return note(position, "\(rule.name) has no value", hint: "Write one behind it, or leave the key out.")
    }
    switch rule.content {
    case .map(let rules, let context): check(node, against: rules, context: context, way: way, schema)
    case .named(let rules, let context): checkNamed(node, rules, context, way: way, schema)
    case .items(let rules, let context): checkItems(node, rules, context, way: way, schema)
    case .numbered(let rules, let context): checkNumbered(node, rules, context, way: way, schema)
    case .text(let text): add(entry(node, rule.name, text, isList: false), at: way)
    case .list(let text): add(entry(node, rule.name, text, isList: true), at: way)
    }
  }

  private mutating func checkNamed(
    _ node: Node, _ rules: [KeyRule], _ context: String, way: [String], _ schema: Schema
  ) {
    guard let pairs = pairs(of: node, way[0], "\(way[0]): {NAME: \(Self.example(rules))}") else { return }
    for pair in pairs {
      guard SourceName(pair.key) != nil else {
        note(
          pair.position, "\"\(Path(pair.key))\" is no name for \(context)", hint: TextRule.name.allowed)
        continue
      }
      names[way[0], default: []].append(pair.key)
      let inner = way + [pair.key]
      defer { sections[inner] = pair.position }
      guard !pair.value.isEmpty else {
        faulty.insert(inner)
        note(pair.position, "\(pair.key) has no value", hint: "Write \(context) behind it, or leave it out.")
        continue
      }
      check(pair.value, against: rules, context: context, way: inner, schema)
    }
  }

  /// Returns the maps in a list; `nil` when it is no list.
  private mutating func listed(_ node: Node, _ rules: [KeyRule], _ context: String, _ way: [String]) -> [Node]? {
    sections[way] = node.position
    if case .sequence(let items) = node.content { return items }
    faulty.insert(Array(way.dropLast()))
    note(
      node.position, "\(way.last ?? context) is \(node.kindName), not a list",
      hint: "Write a list of maps: [\(Self.example(rules)), …].")
    return nil
  }

  private mutating func checkNumbered(
    _ node: Node, _ rules: [KeyRule], _ context: String, way: [String], _ schema: Schema
  ) {
    for (index, item) in (listed(node, rules, context, way) ?? []).enumerated() {
      let own = way + [String(index + 1)]
      items[way, default: []].append(String(index + 1))
      guard pairs(of: item, context, Self.example(rules)) != nil else {
        faulty.insert(own)
        continue
      }
      check(item, against: rules, context: context, way: own, schema)
    }
  }

  private mutating func checkItems(
    _ node: Node, _ rules: [KeyRule], _ context: String, way: [String], _ schema: Schema
  ) {
    for item in listed(node, rules, context, way) ?? [] {
      guard let pairs = pairs(of: item, context, Self.example(rules)), let own = itemName(pairs, item, context, way)
      else {
        faulty.insert(Array(way.dropLast()))
        continue
      }
      self.items[way, default: []].append(own)
      check(item, against: rules, context: context, way: way + [own], schema)
    }
  }

  /// Returns the name of a map in a list; `nil` when it has none of its own.
  private mutating func itemName(
    _ pairs: [Node.Pair], _ item: Node, _ context: String, _ way: [String]
  ) -> String? {
    guard let pair = pairs.first(where: { $0.key == "name" }), case .scalar(let text, _) = pair.value.content else {
      note(item.position, "\(context) has no name", hint: "Write `name:` with a name that no other one has.")
      return nil
    }
    guard SourceName(text) != nil else {
      note(pair.value.position, "\"\(Path(text))\" is no name for \(context)", hint: TextRule.name.allowed)
      return nil
    }
    guard !(items[way] ?? []).contains(text) else {
      note(pair.value.position, "\(context) before has the name \(text)", hint: "Give each a name of its own.")
      return nil
    }
    return text
  }

  private mutating func pairs(of node: Node, _ name: String, _ example: String) -> [Node.Pair]? {
    guard case .mapping(let pairs) = node.content else {
      note(node.position, "\(name) is \(node.kindName), not a map", hint: "Write keys with values, like \(example).")
      return nil
    }
    return pairs
  }

  private static func example(_ rules: [KeyRule]) -> String { "{\(rules[0].name): …}" }

  private mutating func noteUnknown(_ pair: Node.Pair, among rules: [KeyRule], _ context: String, _ schema: Schema) {
    let known = rules.map(\.name)
    let hint: String
    if pair.key == "<<" {
      hint = "Put what sources share into defaults."
    } else if case let others = schema.contexts(of: pair.key), !others.isEmpty {
      hint = "It belongs into \(others.joined(separator: " or ")). Here there can be \(known.joined(separator: ", "))."
    } else if let near = EditDistance.nearest(to: pair.key, in: known) {
      hint = "Did you mean \(near)?"
    } else {
      hint = "There can be \(known.joined(separator: ", "))."
    }
    note(pair.position, "there is no key \(Path(pair.key)) in \(context)", hint: hint)
  }

  // MARK: Values

  private mutating func add(_ entry: Entry?, at way: [String]) {
    entries[way] = entry
    if entry == nil { faulty.insert(Array(way.dropLast())) }
  }

  private mutating func entry(_ node: Node, _ name: String, _ rule: TextRule, isList: Bool) -> Entry? {
    switch node.content {
    case .scalar(let text, _):
      return check(text, name, rule, at: node.position) ? Entry(texts: [text], position: node.position) : nil
    case .sequence(let items) where isList:
      var texts: [String] = []
      for item in items {
        guard case .scalar(let text, _) = item.content else {
          note(item.position, "\(name) has \(item.kindName) in its list", hint: rule.allowed)
          return nil
        }
        guard check(text, name, rule, at: item.position) else { return nil }
        texts.append(text)
      }
      return Entry(texts: texts, position: node.position)
    default:
      note(node.position, "\(name) is \(node.kindName), not \(rule.noun)", hint: rule.allowed)
      return nil
    }
  }

  private mutating func check(_ text: String, _ name: String, _ rule: TextRule, at position: FilePosition) -> Bool {
    if rule.accepts(text) { return true }
    let what = rule.hidesValue ? "what stands there" : "\"\(Self.shown(text))\""
    note(position, "\(name): \(what) is not \(rule.noun)", hint: rule.allowed)
    return false
  }

  /// Returns a value for a message, cut to one line, without what may be a secret in an address.
  static func shown(_ text: String) -> String {
    let text = AddressText.masked(text)
    let shown = text.isEmpty ? "" : Path(String(text.prefix(80))).description
    return text.count > 80 ? shown + "…" : shown
  }
}
