internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// What the site has configured, as this run finds it.
enum SiteConfiguration {
  private static let named = Mutex<String?>(nil)

  /// The file of `--config` that was read last.
  static var lastNamed: String? { named.withLock { $0 } }

  /// - Parameter named: the file of `--config`.
  static func loader(_ host: Host, named: String?) throws -> ConfigurationLoader {
    if let named { Self.named.withLock { $0 = named } }
    var location = ConfigurationLocation()
    let file = named ?? Environment.value("HOLDFAST_CONFIG").flatMap { $0.isEmpty ? nil : $0 }
    location.named = try file.map { try Environment.absolute($0) }
    location.skipsForbidden = !Environment.isRoot
    location.user = Environment.isRoot ? nil : Environment.configurationDirectory()
    return ConfigurationLoader(location, files: host.files, environment: variable) { Compression($0) != nil }
  }

  /// A variable; a file that it names is found wherever this runs.
  private static func variable(_ name: String) -> String? {
    guard let value = Environment.value(name), !value.isEmpty, name.hasSuffix("_FILE"),
      let path = try? Environment.absolute(value)
    else { return Environment.value(name) }
    return String(decoding: path.bytes, as: UTF8.self)
  }

  /// - Throws: with exit status 2 where nothing is configured.
  static func needed(
    _ host: Host, named: String?, flags: FlagValues = FlagValues(), for what: String = "sources"
  ) throws -> Settings {
    let loader = try loader(host, named: named)
    guard let settings = try loader.load(flags: flags) else {
      if let forbidden = loader.forbidden {
        throw ForbiddenConfiguration(
          "no configuration is there that names \(what)", forbidden, instead: "Name one of your own with --config FILE")
      }
      throw MissingConfiguration(for: what, in: loader.location.usual)
    }
    return settings
  }
}

/// The repository that this run uses, where it is a configured one: keys that are not named otherwise are those that are configured of it.
enum ConfiguredRepository {
  private static let chosen = Mutex<RepositorySettings?>(nil)

  static var current: RepositorySettings? { chosen.withLock { $0 } }

  static func use(_ settings: RepositorySettings?) { chosen.withLock { $0 = settings } }
}

extension RepositoryOptions {
  /// The configured repository that is meant where `text` is a name, or where there is none; `nil` where `text` is a path.
  func configured(_ text: String?, _ host: Host, of source: SourceName?) throws -> RepositorySettings? {
    guard let text else { return try only(host, of: source) }
    let path = Path(text)
    guard !text.isEmpty, !path.bytes.contains(Path.separator),
      (try? host.files.status(of: Environment.absolute(text), followLink: true)) == nil
    else { return nil }
    return try SiteConfiguration.loader(host, named: config).load()?.repository(text)
  }

  private func only(_ host: Host, of source: SourceName?) throws -> RepositorySettings? {
    if let current = ConfiguredRepository.current { return current }
    guard let settings = try SiteConfiguration.loader(host, named: config).load() else { return nil }
    if let source, let known = settings.source(source.text), let its = settings.repository(known.repository) {
      return its
    }
    guard settings.repositories.count > 1 else { return settings.repositories.first }
    throw EngineError(
      "several repositories are configured: \(settings.repositories.map(\.name).joined(separator: ", "))",
      hint: "Say --repository with one of these names.", exitStatus: .usage)
  }
}
