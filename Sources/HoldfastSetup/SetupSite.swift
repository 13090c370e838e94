internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastOperations
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The state before a setup makes anything: the source, the repository, the configuration. Nothing is changed by
/// looking.
package struct SetupSite {
  /// The repository of a configured source is looked for in files alone, as the scheduled runs do.
  package let machine: MachineContext
  package let contents: SourceContents
  /// The repository and the keyless way to it.
  package let context: RepositoryContext
  /// `nil` if it is to be made.
  package let repository: Repository?
  /// `nil` if there is no configuration.
  let settings: Settings?

  /// - Parameters:
  ///   - text: the repository as the operator named it: a location, or a configured name.
  ///   - keyring: the digest that a revision of its keyring must have; `nil` for any.
  ///   - warn: gets warnings of opening the repository.
  /// - Throws: `EngineError` when the source, or what is at the location, cannot be used.
  package init(
    _ contents: SourceContents, repository text: String, expectedKeyring keyring: String? = nil,
    on machine: MachineContext, warn: (String) -> Void
  ) throws {
    let machine = machine.without("HOLDFAST_REPOSITORY")
    (self.machine, self.contents) = (machine, contents)
    settings = try Self.settings(machine)
    var named = text
    if settings?.repository(text) == nil, let directory = try machine.location(text).directory {
      guard let path = String(validating: directory.bytes, as: UTF8.self) else {
        throw EngineError(
          .usage, "\(directory) cannot be written into a configuration", hint: "Use a path of UTF-8.",
          exitStatus: .usage)
      }
      named = path
    }
    context = try RepositoryContext(
      RepositoryRequest(repository: named, expectedKeyring: keyring), on: machine)
    try context.checkIsHome()
    do {
      repository = try context.open(warn: warn)
    } catch let error as EngineError where error.exitStatus == .noRepository {
      repository = nil
      let store = try context.store()
      // What an interrupted run has left is no obstacle, and is removed when the repository is made.
      if try store.names(below: "") != [Keys.keyring] { try Repository.checkIsEmpty(store) }
    }
    try checkIsApart()
  }

  private static func settings(_ machine: MachineContext) throws -> Settings? {
    let loader = try machine.loader()
    if let named = loader.location.named, try machine.host.files.statusIfPresent(of: named) == nil { return nil }
    return try loader.load()
  }

  private func checkIsApart() throws {
    guard let directory = context.location.directory.map({ resolved($0) }),
      contents.path.contains(directory) || directory.contains(contents.path)
    else { return }
    throw EngineError(
      .usage, "the repository \(directory) and the source \(contents.path) lie in one another",
      hint: "Keep the repository on another disk than the source.", exitStatus: .usage)
  }

  /// True if the repository is on the file system of the source.
  var isBesideSource: Bool {
    let files = machine.host.files
    guard let directory = context.location.directory,
      let own = try? files.status(of: contents.path, followLink: true),
      let other = try? files.status(of: existing(directory), followLink: true)
    else { return false }
    return own.device == other.device
  }

  /// Returns a directory, or the first one above it that exists.
  private func existing(_ path: Path) -> Path {
    guard (try? machine.host.files.status(of: path, followLink: true)) == nil, let parent = path.parent,
      !path.lastComponent.isEmpty
    else { return path }
    return existing(parent.isEmpty ? Path("/") : parent)
  }

  /// The findings that are no obstacle, and that the operator should know before anything is made.
  package func warnings(for request: SetupRequest) -> [String] {
    var found: [String] = []
    if isBesideSource {
      found.append("the repository is on the file system of the source: a disk that fails takes both")
    }
    if !contents.clusters.isEmpty, contents.clusterInUse == nil, request.postgres == nil,
      configuredSource?.postgres == nil
    {
      found.append(
        "no server runs on the PostgreSQL cluster now; while one does, snapshots need `postgres` of the source in the configuration, or --postgres now"
      )
    }
    return found
  }

  /// Returns the source or the repository if a file or directory lies in it; otherwise `nil`. It need not exist.
  func place(of path: Path) -> (name: String, path: Path)? {
    let path = resolved(path)
    if contents.path.contains(path) { return ("source", contents.path) }
    guard let repository = context.location.directory, resolved(repository).contains(path) else { return nil }
    return ("repository", repository)
  }

  /// Returns a path without symbolic links, as far as it exists.
  func resolved(_ path: Path) -> Path {
    if let found = try? machine.host.files.resolve(path) { return found }
    guard let parent = path.parent, !path.lastComponent.isEmpty else { return path }
    return resolved(parent.isEmpty ? Path("/") : parent).appending(path.lastComponent)
  }

  /// True if the repository exists and a passphrase opens it, and no key file does.
  package var needsPassphrase: Bool {
    let members = repository?.keyring.sealed?.keyring.recipients ?? []
    return !members.isEmpty && members.allSatisfy { $0.passphrase != nil }
  }

  /// The configured source with this directory and this repository; `nil` if there is none, or several are.
  package var configuredSource: SourceSettings? {
    let found = (settings?.sources ?? []).filter { isSame($0) }
    return found.count == 1 ? found[0] : nil
  }

  /// True if a configured source is this directory, backed up to this repository.
  func isSame(_ source: SourceSettings) -> Bool {
    guard let settings, case .directory(let path) = source.subject,
      let own = try? machine.host.files.resolve(path), own == contents.path,
      let its = try? RepositoryContext(of: source, in: settings, RepositoryRequest(), on: machine)
    else { return false }
    return its.location == context.location
  }

  /// The source's name unless one is chosen.
  package var usualName: SourceName { configuredSource?.name ?? SourceName(from: contents.path) }
}
