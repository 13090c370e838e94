/// A key of the configuration, with the rule for its value.
struct KeyRule: Sendable {
  indirect enum Content: Sendable {
    case text(TextRule)
    /// One value, or a list of values.
    case list(TextRule)
    /// - Parameter context: the name of the map in messages: `schedule`.
    case map([KeyRule], context: String)
    /// Names that the site chooses. Each has a map with these keys.
    case named([KeyRule], context: String)
    /// A list of such maps, each with a `name` of its own, by which its keys are found.
    case items([KeyRule], context: String)
    /// A list of such maps without names. Their keys are found by the place in the list, from 1 on.
    case numbered([KeyRule], context: String)
  }

  /// The sources to which a key applies.
  enum Use: Sendable {
    case any
    /// To one source only; it cannot be in the defaults.
    case one
    /// To sources that are directories.
    case directories
    /// To sources that are commands.
    case commands
  }

  let name: String
  let content: Content
  /// The default value.
  var initial: String?
  /// The environment variable for the key.
  var variable: String?
  var isSecret = false
  var use = Use.any

  init(
    _ name: String, _ content: Content, initial: String? = nil, variable: String? = nil, isSecret: Bool = false,
    use: Use = .any
  ) {
    (self.name, self.content, self.initial, self.variable) = (name, content, initial, variable)
    (self.isSecret, self.use) = (isSecret, use)
  }

  /// All keys below it that have values, with their key paths.
  var leaves: [(way: [String], rule: KeyRule)] {
    guard case .map(let rules, _) = content else { return [([name], self)] }
    return rules.flatMap { rule in rule.leaves.map { (way: [name] + $0.way, rule: $0.rule) } }
  }

  var text: TextRule? {
    switch content {
    case .text(let rule), .list(let rule): rule
    default: nil
    }
  }

  var isList: Bool { if case .list = content { true } else { false } }
}
