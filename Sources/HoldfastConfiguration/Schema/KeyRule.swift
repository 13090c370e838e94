/// One key of the configuration: what may stand behind it.
struct KeyRule: Sendable {
  indirect enum Content: Sendable {
    case text(TextRule)
    /// One value, or a list of them.
    case list(TextRule)
    /// - Parameter context: what it describes, for messages: `schedule`.
    case map([KeyRule], context: String)
    /// Keys that the site chooses, each with such a map.
    case named([KeyRule], context: String)
  }

  /// To which sources it applies.
  enum Use: Sendable {
    case any
    /// It tells one source from others, and cannot be among the defaults.
    case one
    /// Of directories, not of commands.
    case directories
    /// Of commands, not of directories.
    case commands
  }

  let name: String
  let content: Content
  /// What counts where nobody says anything.
  var initial: String?
  /// The environment variable that says it.
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

  /// The keys below it, with their ways, down to values.
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
