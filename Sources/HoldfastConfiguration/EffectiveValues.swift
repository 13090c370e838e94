internal import HoldfastModel

/// The flags of the command line, by the names of keys. They apply to all sources and repositories of a run.
package struct FlagValues: Sendable {
  package internal(set) var values: [String: [String]] = [:]

  package init() {}

  /// - Parameter key: the name of the flag without its dashes.
  package mutating func set(_ key: String, _ texts: [String]) { if !texts.isEmpty { values[key] = texts } }

  package mutating func set(_ key: String, _ text: String?) { if let text { values[key] = [text] } }
}

/// The values in effect. The first of four layers that has a key decides: the command line, the environment, the files,
/// the default.
struct EffectiveValues {
  /// The texts of one layer for a key, and their origin.
  private typealias Found = (texts: [String], origin: Setting.Origin)

  let flags: FlagValues
  /// Returns the value of an environment variable; `nil` when it is not set.
  let environment: (String) -> String?
  /// Returns the value for a key in the files, with its position.
  let entry: ([String], KeyRule) -> Findings.Entry?

  /// Returns the value of one key.
  /// - Parameters:
  ///   - way: the key path, such as `sources`, `orders`, `compression`.
  ///   - rule: the rule for its value.
  /// - Returns: `nil` when no layer has the key.
  func setting(_ way: [String], _ rule: KeyRule) -> Setting? {
    guard let found = flag(way, rule) ?? variable(rule) ?? file(way, rule) ?? initial(rule) else { return nil }
    let texts = rule.isList ? found.texts : found.texts.suffix(1)
    return Setting(key: way, texts: texts, origin: found.origin, isList: rule.isList, isSecret: rule.isSecret)
  }

  /// Flags apply to the keys directly below the name of a source or a repository, not to those in a map there.
  private func flag(_ way: [String], _ rule: KeyRule) -> Found? {
    guard way.count == 3, let texts = flags.values[rule.name] else { return nil }
    return (texts, .flag("--" + rule.name))
  }

  /// An empty variable counts as not set.
  private func variable(_ rule: KeyRule) -> Found? {
    guard let name = rule.variable, let text = environment(name), !text.isEmpty else { return nil }
    return ([text], .environment(name))
  }

  private func file(_ way: [String], _ rule: KeyRule) -> Found? {
    entry(way, rule).map { ($0.texts, .file($0.position)) }
  }

  private func initial(_ rule: KeyRule) -> Found? { rule.initial.map { ([$0], .initial) } }
}
