package import HoldfastModel
package import HoldfastSystem

/// A configuration file that is not written yet.
package struct ProposedFile: Sendable {
  package let path: Path
  package let text: String

  package init(_ path: Path, _ text: String) { (self.path, self.text) = (path, text) }
}

/// Reads the configuration: finds its files, checks them against the schema, and lets the environment and the command
/// line override them.
package struct ConfigurationLoader {
  package let location: ConfigurationLocation
  private let files: FileSystem
  private let environment: (String) -> String?
  private let schema: Schema

  /// - Parameters:
  ///   - environment: returns the value of a variable; `nil` when it is not set. Paths in it are absolute.
  ///   - isCompression: returns true if a text names a compression.
  package init(
    _ location: ConfigurationLocation, files: FileSystem, environment: @escaping (String) -> String?,
    isCompression: @escaping @Sendable (String) -> Bool
  ) {
    self.location = location
    self.files = files
    self.environment = environment
    schema = Schema(isCompression: isCompression)
  }

  /// - Parameters:
  ///   - checksSecrets: true if the files of secrets are checked as well.
  ///   - proposed: a file that is not written yet, and counts as if it were there.
  /// - Returns: `nil` when there is no configuration.
  /// - Throws: `ConfigurationError` with all mistakes.
  package func load(
    flags: FlagValues = FlagValues(), checksSecrets: Bool = false, proposed: ProposedFile? = nil
  ) throws -> Settings? {
    let found = try location.files(files)
    let paths = found.paths.filter { $0 != proposed?.path } + (proposed.map { [$0.path] } ?? [])
    guard !paths.isEmpty || !found.mistakes.isEmpty else { return nil }
    var mistakes = found.mistakes
    var merger = FileMerger()
    var isWhole = true
    for path in paths {
      do {
        let (node, duplicates) = try read(path, proposed)
        mistakes += duplicates
        merger.add(node)
      } catch {
        isWhole = false
        mistakes.append(error)
      }
    }
    mistakes += merger.mistakes
    guard let root = merger.root else { throw ConfigurationError(mistakes) }
    let findings = Findings(root, schema)
    mistakes += findings.mistakes
    // The contents of an unreadable file are missing, so that what looks like a contradiction may be none.
    guard isWhole else { throw ConfigurationError(mistakes) }
    var builder = SettingsBuilder(findings, schema, flags: flags, environment: environment)
    let settings = builder.build(files: paths)
    mistakes += builder.mistakes
    if checksSecrets { mistakes += secretMistakes(settings, findings) }
    guard mistakes.isEmpty else { throw ConfigurationError(mistakes) }
    return settings
  }

  /// The first file or directory of the machine's configuration that this user may not read, which makes all of that
  /// configuration ignored; for messages.
  package var forbidden: Path? { (try? location.forbidden(files)) ?? nil }

  private func read(_ path: Path, _ proposed: ProposedFile?) throws(Mistake) -> (Node, [Mistake]) {
    let isProposed = path == proposed?.path
    let bytes = try isProposed ? Array((proposed?.text ?? "").utf8) : ConfigurationFile(path: path).read(files)
    let (node, duplicates) = try YAMLReader.read(bytes, of: path)
    guard let node, !node.isEmpty else {
      throw Mistake(
        FilePosition(path, line: 1, column: 1), "the file is empty",
        hint: "Write something into it (`holdfast config example`), or remove it.")
    }
    return (node, duplicates)
  }

  private func secretMistakes(_ settings: Settings, _ findings: Findings) -> [Mistake] {
    func position(_ repository: RepositorySettings, _ way: String...) -> FilePosition? {
      findings.entries[[Schema.repositories, repository.name] + way]?.position
    }
    var named: [SecretFile] = []
    for repository in settings.repositories {
      let files: [(Path, String)] =
        repository.identities.map { ($0, "identity") }
        + [(repository.passphraseFile, "passphrase-file"), (repository.writerKey, "writer-key")].compactMap {
          path, key in
          path.map { ($0, key) }
        }
      named += files.map { SecretFile(path: $0.0, position: position(repository, $0.1)) }
      let key = "credentials-file"
      for target in repository.targets {
        guard let path = target.s3.credentialsFile else { continue }
        let position = position(repository, Schema.targets, target.name, key) ?? position(repository, key)
        named.append(SecretFile(path: path, position: position))
      }
    }
    for notification in settings.notifications {
      switch notification.target {
      case .ping(let secret), .webhook(let secret):
        if case .file(let path) = secret.origin { named.append(SecretFile(path: path, position: secret.position)) }
      case .command: break
      }
    }
    return named.compactMap { file in
      do throws(Mistake) {
        try file.check(files)
        return nil
      } catch {
        return error
      }
    }
  }
}
