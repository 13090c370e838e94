package import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
package import HoldfastSystem

/// Puts the source into the configuration. A file that is there is never changed: a new file is written, or the
/// operator is told what to add.
package struct ConfigurationStep {
  /// The change to the configuration.
  enum Change {
    /// The source is configured already.
    case none
    case write(ProposedFile, FileAccess)
  }

  /// The access to the new file.
  package struct FileAccess {
    /// The permissions of a configuration that everybody may read.
    private static let usual: UInt32 = 0o644
    private static let groupRead: UInt32 = 0o040
    private static let othersRead: UInt32 = 0o004

    fileprivate let permissions: UInt32
    /// The group that may read it while others may not; `nil` if the group makes no difference.
    fileprivate let groupID: UInt32?

    /// - Parameter main: the main file, `nil` if there is none. Whoever cannot read one file of the configuration has
    ///   none of it.
    package init(like main: FileStatus?) {
      permissions = (main?.mode ?? Self.usual) & Self.usual
      groupID = permissions & (Self.groupRead | Self.othersRead) == Self.groupRead ? main?.groupID : nil
    }
  }

  let site: SetupSite
  let request: SetupRequest
  let name: SourceName

  /// Determines what is to be written, and checks it as if it were there.
  /// - Parameter keyring: the digest of the keyring; `nil` if the repository is not sealed, or not made yet.
  /// - Throws: `EngineError` when the name means another source, or when the operator must add the source by hand.
  func change(keyring: String? = nil) throws -> Change {
    if let known = site.settings?.source(name.text) {
      guard !site.isSame(known) else {
        try checkIsAsWanted(known)
        return .none
      }
      throw EngineError(
        .usage, "a source \(name) is configured already, with another directory or repository",
        hint: "Say another name with --name, or look at it with `holdfast config show`.", exitStatus: .usage)
    }
    var text = try text(keyring)
    guard let settings = site.settings else {
      text.hasDefaults = true
      if case .unsealed = request.protection { text.merges = true }
      let file = ProposedFile(try location.usual, text.text)
      _ = try check(file, text)
      return .write(file, FileAccess(like: nil))
    }
    let path = try location.additional(name.text)
    let isThere = try site.machine.host.files.statusIfPresent(of: path) != nil
    let isSystem = try location.named == nil && location.user == nil
    guard isSystem, !isThere else {
      throw toldByHand(
        text, in: isSystem ? path : settings.files.first ?? path, because: "setup changes no file that is there")
    }
    do {
      if try check(ProposedFile(path, text.text), text)?.schedule.isEmpty ?? true { text.hasSchedule = true }
      let file = ProposedFile(path, text.text)
      _ = try check(file, text)
      let main = try settings.files.first.map { try site.machine.host.files.status(of: $0, followLink: true) }
      return .write(file, FileAccess(like: main))
    } catch let error as ConfigurationError {
      throw toldByHand(text, in: path, because: "it does not fit as it is: \(error.message)")
    }
  }

  /// Refuses values that the configuration has otherwise: they would be passed over.
  private func checkIsAsWanted(_ known: SourceSettings) throws {
    var differing: [String] = []
    if let compression = request.compression, compression != known.compression { differing.append("compression") }
    if let postgres = request.postgres, postgres != known.postgres { differing.append("postgres") }
    if let directory = request.drillDirectory, let own = known.drill.directory, own != directory {
      differing.append("drill.in")
    }
    guard let first = differing.first else { return }
    let files = site.settings?.files.map(\.description).joined(separator: ", ") ?? ""
    throw EngineError(
      .usage, "the source \(name) is configured already, with another value of \(first)",
      hint: "Change it in \(files), or leave it out of the command line.", exitStatus: .usage)
  }

  private var location: ConfigurationLocation { get throws { try site.machine.loader().location } }

  /// Returns the files that a change concerns.
  func paths(_ change: Change) -> [(name: String, path: Path)] {
    guard case .write(let file, _) = change else { return [] }
    return [("configuration", file.path)]
  }

  /// Returns the settings of the source with a proposed file.
  /// - Throws: `ConfigurationError` with all mistakes; `EngineError` when it would mean something else than was asked
  ///   for.
  private func check(_ file: ProposedFile, _ text: ConfigurationText) throws -> SourceSettings? {
    let settings = try site.machine.loader().load(proposed: file)
    if let key = text.difference(from: settings) {
      throw EngineError(
        .usage, "the configuration would have another value of \(key) than was asked for",
        hint: "Use a value of ordinary characters.", exitStatus: .usage)
    }
    return settings?.source(name.text)
  }

  private func toldByHand(_ text: ConfigurationText, in path: Path, because reason: String) -> EngineError {
    EngineError(
      .usage, "the source \(name) is not in the configuration, and \(reason)",
      hint: "Add this to \(path), and run the same command again:\n"
        + text.body.map { "  " + $0 }.joined(separator: "\n"))
  }

  private func text(_ keyring: String?) throws -> ConfigurationText {
    guard let path = String(validating: site.contents.path.bytes, as: UTF8.self) else {
      throw EngineError(
        .usage, "\(site.contents.path) cannot be written into a configuration", hint: "Use a path of UTF-8.",
        exitStatus: .usage)
    }
    let configured = site.context.configured
    var text = ConfigurationText(source: name, path: path, repository: configured?.name ?? newRepositoryName)
    if configured == nil {
      let directory = site.context.location.directory
      text.newRepository = ConfigurationText.Repository(
        name: newRepositoryName,
        location: directory.map { String(decoding: $0.bytes, as: UTF8.self) } ?? site.context.location.text,
        isDirectory: directory != nil,
        writerKey: try request.writerKey.map {
          String(decoding: try site.machine.environment.absolute($0).bytes, as: UTF8.self)
        },
        expectedKeyring: keyring)
    }
    (text.compression, text.postgres) = (request.compression, request.postgres)
    text.drillDirectory = request.drillDirectory.map { String(decoding: $0.bytes, as: UTF8.self) }
    // What is shorter than the usual interval must not be waited for.
    if let interval = request.interval { text.interval = min(interval, text.interval) }
    return text
  }

  /// The name of a repository that is not configured yet: the last part of its location, or that with a number.
  private var newRepositoryName: String {
    let parts = site.context.location.text.split(separator: "/")
    let name = SourceName(from: Path(String(parts.last ?? ""))).text
    let taken = Set(site.settings?.repositories.map(\.name) ?? [])
    guard taken.contains(name) else { return name }
    return (2...).lazy.map { "\(name.prefix(60))-\($0)" }.first { !taken.contains($0) } ?? name
  }

  /// Writes a file, which appears whole.
  /// - Throws: `EngineError` when there is a file of that name: it is never replaced.
  package static func write(_ file: ProposedFile, _ access: FileAccess, _ host: Host) throws {
    guard let parent = file.path.parent else { return }
    try host.files.makeDirectories(parent, permissions: 0o755)
    let directory = try host.files.open(parent, .directoryFollowingLinks)
    let name = Path(bytes: Array(file.path.lastComponent))
    // A name that no configuration has: it begins with a dot.
    let temporary = Path(".\(host.random.identifier()).holdfast-setup")
    let written = try host.files.open(temporary, in: directory, .create, permissions: access.permissions)
    do {
      if let groupID = access.groupID { try written.setOwner(userID: written.status().userID, groupID: groupID) }
      try written.setMode(access.permissions)
      try Array(file.text.utf8).withUnsafeBytes { try written.write($0, at: 0) }
      try written.synchronize()
      try host.files.rename(temporary, in: directory, to: name, in: directory, replacing: false)
    } catch {
      try? host.files.removeFile(temporary, in: directory)
      guard (error as? SystemError)?.isExisting == true else { throw error }
      throw EngineError(
        .machine, "\(file.path) exists already", hint: "Look at it, and run the same command again.")
    }
    try directory.synchronizeDirectory()
  }
}
