internal import Configuration
internal import HoldfastModel
internal import Synchronization

/// What the command line says, by the names of keys: it counts for every source and repository of a run.
package struct FlagValues: Sendable {
  package internal(set) var values: [String: [String]] = [:]

  package init() {}

  /// - Parameter key: the name of the flag without its dashes.
  package mutating func set(_ key: String, _ texts: [String]) { if !texts.isEmpty { values[key] = texts } }
}

/// The values in effect: of the command line before those of the environment before those of files before those that count where nobody says anything.
final class EffectiveValues {
  private enum Layer: String, CaseIterable {
    case flags, environment, files, initial
  }

  private let reader: ConfigReader
  private let witness = Witness()
  private let places: [[String]: Place]
  private(set) var shown: [Setting] = []

  /// - Parameters:
  ///   - subjects: what has values: the ways that lead to them, and the rules of what stands there.
  ///   - entry: what files say of a key.
  init(
    _ subjects: [Subject], flags: FlagValues, environment: (String) -> String?,
    entry: ([String], KeyRule) -> Findings.Entry?
  ) {
    var layers = [Layer: [AbsoluteConfigKey: ConfigValue]]()
    var places: [[String]: Place] = [:]
    for subject in subjects {
      for leaf in subject.leaves {
        let way = subject.way + leaf.way
        let rule = leaf.rule
        func put(_ texts: [String]?, _ layer: Layer) {
          guard let texts else { return }
          let content = rule.isList ? ConfigContent.stringArray(texts) : .string(texts[texts.count - 1])
          layers[layer, default: [:]][AbsoluteConfigKey(way)] = ConfigValue(content, isSecret: rule.isSecret)
        }
        if leaf.way.count == 1 { put(flags.values[rule.name], .flags) }
        put(rule.variable.flatMap { environment($0) }.flatMap { $0.isEmpty ? nil : [$0] }, .environment)
        let found = entry(way, rule)
        put(found?.texts, .files)
        places[way] = found?.place
        put(rule.initial.map { [$0] }, .initial)
      }
    }
    self.places = places
    reader = ConfigReader(
      providers: Layer.allCases.map { InMemoryProvider(name: $0.rawValue, values: layers[$0] ?? [:]) },
      accessReporter: witness)
  }

  /// Something that is configured, by the way that leads to it.
  struct Subject {
    let way: [String]
    let leaves: [(way: [String], rule: KeyRule)]
  }

  /// - Returns: what is in effect; `nil` where nobody says anything.
  func setting(_ way: [String], _ rule: KeyRule) -> Setting? {
    let key = ConfigKey(way)
    let texts =
      rule.isList
      ? reader.stringArray(forKey: key, isSecret: rule.isSecret)
      : reader.string(forKey: key, isSecret: rule.isSecret).map { [$0] }
    guard let texts, let layer = witness.layer.flatMap({ Layer(rawValue: $0) }) else { return nil }
    let setting = Setting(
      key: way, texts: texts, origin: origin(of: way, rule, layer), isList: rule.isList, isSecret: rule.isSecret)
    shown.append(setting)
    return setting
  }

  private func origin(of way: [String], _ rule: KeyRule, _ layer: Layer) -> Setting.Origin {
    switch layer {
    case .flags: .flag("--" + rule.name)
    case .environment: .environment(rule.variable ?? "")
    case .files: places[way].map { .file($0) } ?? .initial
    case .initial: .initial
    }
  }
}

/// Sees which provider an access ended at.
private final class Witness: AccessReporter {
  private let last = Mutex<String?>(nil)

  /// The name of the layer that the last access got its value from.
  var layer: String? { last.withLock { $0 } }

  func report(_ event: AccessEvent) {
    let provider = event.providerResults.last { result in
      if case .success(let found) = result.result { found.value != nil } else { false }
    }
    // InMemoryProvider[NAME]
    let name = provider?.providerName.split(separator: "[").last?.dropLast()
    last.withLock { $0 = name.map(String.init) }
  }
}
