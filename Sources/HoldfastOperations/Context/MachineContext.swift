package import HoldfastBrowse
internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem

/// The context of every command: the machine, the environment of the process, and the configuration to read. It is made
/// once for a command and handed down, so that no other code asks the process or keeps hidden state.
package struct MachineContext: Sendable {
  package let host: Host
  package let environment: ProcessEnvironment
  /// The schemes of locations that can be opened.
  package let schemes: StoreSchemes
  /// Counts the requests to the servers of repositories.
  package let traffic: Traffic
  /// Gets a sentence for the operator when a server does not answer and is asked again. Any thread may call it.
  let tell: @Sendable (String) -> Void
  /// The file of `--config` as it was given; `nil` without `--config`.
  private let configurationFile: String?

  package init(
    host: Host, environment: ProcessEnvironment, schemes: StoreSchemes = .builtIn, traffic: Traffic = Traffic(),
    configurationFile: String? = nil, tell: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.host = host
    self.environment = environment
    self.schemes = schemes
    self.traffic = traffic
    self.configurationFile = configurationFile
    self.tell = tell
  }

  /// Returns the same context with a limit for reading a source.
  package func reading(within limit: RateLimit?) -> MachineContext {
    MachineContext(
      host: host.reading(within: limit), environment: environment, schemes: schemes,
      traffic: traffic, configurationFile: configurationFile, tell: tell)
  }

  /// Returns the same context for work that another flag ends.
  package func with(_ cancellation: Cancellation) -> MachineContext {
    MachineContext(
      host: host.with(cancellation), environment: environment, schemes: schemes, traffic: traffic,
      configurationFile: configurationFile, tell: tell)
  }

  /// Returns the same context with another file of `--config`.
  package func naming(_ configurationFile: String?) -> MachineContext {
    MachineContext(
      host: host, environment: environment, schemes: schemes, traffic: traffic, configurationFile: configurationFile,
      tell: tell)
  }

  /// Returns the same context, in whose environment a variable is not set.
  package func without(_ variable: String) -> MachineContext {
    MachineContext(
      host: host, environment: environment.without(variable), schemes: schemes, traffic: traffic,
      configurationFile: configurationFile, tell: tell)
  }

  /// Returns the location that a text means. A relative path becomes absolute.
  /// - Throws: `LocationError` when the text begins with a scheme and is not a location of it, or looks like a server
  ///   and is not an existing directory.
  package func location(_ text: String) throws -> StoreLocation {
    let location = try StoreLocation(text) { isDirectory($0) }
    guard location.directory != nil else { return location }
    return .directory(try environment.absolute(text))
  }

  /// A location by its only name: a directory without symbolic links.
  func place(of location: StoreLocation) -> StoreLocation {
    guard let directory = location.directory else { return location }
    return .directory(host.files.names(of: directory).last ?? directory)
  }

  private func isDirectory(_ text: String) -> Bool {
    guard let path = try? environment.absolute(text) else { return false }
    return (try? host.files.status(of: path, followLink: true))?.kind == .directory
  }

  /// Returns a limit for reading; `nil` for no limit.
  package func limit(_ rate: ByteRate?) -> RateLimit? {
    rate.map { RateLimit($0, clock: host.clock, cancellation: host.cancellation) }
  }

  /// Reads the configuration of this machine.
  package func loader() throws -> ConfigurationLoader {
    var location = ConfigurationLocation()
    let file = configurationFile ?? environment.text("HOLDFAST_CONFIG")
    location.named = try file.map { try environment.absolute($0) }
    if let directory = try environment.namedConfigurationDirectory() {
      location.system = directory
    } else if !environment.isRoot {
      location.skipsForbidden = true
      location.user = try environment.configurationDirectory()
    }
    return ConfigurationLoader(location, files: host.files, environment: variable) { Compression($0) != nil }
  }

  /// Returns the value of a variable. A path in it becomes absolute.
  private func variable(_ name: String) -> String? {
    guard let value = environment.text(name), name.hasSuffix("_FILE"), let path = try? environment.absolute(value)
    else { return environment.value(name) }
    return String(decoding: path.bytes, as: UTF8.self)
  }

  /// Returns the configuration, for a command that needs one.
  /// - Parameter what: the names that are needed, for the message.
  /// - Throws: with exit status 2 when nothing is configured.
  package func neededSettings(flags: FlagValues = FlagValues(), for what: String = "sources") throws -> Settings {
    let loader = try loader()
    guard let settings = try loader.load(flags: flags) else {
      if let forbidden = loader.forbidden {
        throw ForbiddenConfiguration(
          "no configuration is there that names \(what)", forbidden, instead: "Name one of your own with --config FILE")
      }
      throw MissingConfiguration(for: what, in: loader.location.usual)
    }
    return settings
  }

  /// Returns the memory of this machine of its repositories.
  package func memory() throws -> ClientMemory { ClientMemory(directory: try environment.stateDirectory()) }

  /// Returns the cached states on this machine.
  package func cache() throws -> StateCache { StateCache(directory: try environment.cacheDirectory()) }

  /// Returns the catalogs of remote repositories on this machine.
  package func catalogCache() throws -> CatalogCache { CatalogCache(directory: try environment.cacheDirectory()) }

  /// Returns what this machine keeps of the changes of snapshots.
  package func changeCache() throws -> ChangeCache { ChangeCache(directory: try environment.cacheDirectory()) }

  /// Reads and writes files with secrets.
  package var keyFiles: KeyFiles { KeyFiles(files: host.files, environment: environment) }
}
