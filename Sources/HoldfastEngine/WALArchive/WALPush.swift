internal import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Archives one file of a write-ahead log, as PostgreSQL's `archive_command` asks for it: when it returns, the file is durable in the repository.
package struct WALPush {
  package struct Options: Sendable {
    /// Absolute. Its last component is the name under which it is archived.
    package var path: Path
    package var source: SourceName
    /// The directory of the cluster, where the path does not tell: what holds no log does not name its cluster.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?
    package var compression = Compression.standard

    package init(path: Path, source: SourceName, clusterDirectory: Path) {
      self.path = path
      self.source = source
      self.clusterDirectory = clusterDirectory
    }
  }

  package struct Report: Sendable {
    package let file: WALFileName
    package let system: SystemIdentifier
    /// Whether it was archived before, with the same bytes: then nothing was stored.
    package let isRepeated: Bool
    package let storedBytes: UInt64
  }

  private let repository: Repository
  private let archive: WALArchive
  private let options: Options
  private let host: Host

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
    archive = WALArchive(repository, of: options.source)
    host = repository.host
  }

  package func run() throws -> Report {
    let writer = try repository.sealed?.writer()
    let source = try WALSourceFile(options.path, files: host.files)
    let system = try source.system(options, in: archive, files: host.files)
    if let known = try archive.find(source.name, of: system) {
      return try confirm(source, is: known, writer)
    }
    let draft = try store(source, system, writer)
    try repository.checkKeyringIsNewest(after: "\(source.name) was archived")
    // What a killed run has made is not durable yet, perhaps: nothing is built on it before.
    try repository.store.settle(below: Keys.wal(options.source, system, source.name.directory))
    do {
      try Repository.write(
        draft.serialized(signedBy: writer?.signing), to: draft.key, of: repository.store)
    } catch StoreError.alreadyExists {
      // Another push of the same file was faster.
      guard let known = try archive.find(source.name, of: system) else {
        throw StoreError.alreadyExists(key: draft.key, location: repository.location)
      }
      return try confirm(source, is: known, writer)
    }
    return Report(file: source.name, system: system, isRepeated: false, storedBytes: draft.object.length)
  }

  // MARK: A new file

  private func store(_ source: WALSourceFile, _ system: SystemIdentifier, _ writer: WriterKey?) throws -> WALManifest {
    let head = try repository.makeHead(.wal, label: [])
    let object = try repository.store.create(
      Keys.walObject(options.source, system, source.name, head.name.id))
    let container = try ContainerWriter(head, sink: object)
    let maker = try FrameMaker(options.compression, capacity: Limits.framePlainBytesMax)
    let digest: Digest
    do {
      let survey = WALSurvey(source)
      var hasher = Hasher()
      try source.read(host.cancellation) { bytes in
        hasher.update(bytes)
        survey.add(bytes)
        try container.write(frame: container.reserveFrame(), maker.make(bytes, for: head))
      }
      digest = hasher.finish()
      let facts = try WALFacts(digest: digest, log: survey.facts()).serialized()
      try facts.withUnsafeBytes { try container.write(frame: container.reserveFrame(), maker.make($0, for: head)) }
      try host.cancellation.check()
    } catch {
      object.abort()
      throw error
    }
    let reference = try container.finish()
    try object.commit()
    return WALManifest(
      repository: repository.id, source: options.source, system: system, file: source.name, size: source.size,
      segmentSize: source.segment?.size, object: reference, content: content(digest, source.name, system, writer),
      time: TimeText.utc(host.clock.now()), program: Program.nameAndVersion,
      keyring: repository.sealed?.revision.reference)
  }

  private func content(
    _ digest: Digest, _ file: WALFileName, _ system: SystemIdentifier, _ writer: WriterKey?
  ) -> Digest {
    writer?.contentCode(of: digest, context: WALManifest.context(options.source, system, file)) ?? digest
  }

  // MARK: A known file

  /// Makes sure that what is archived is this very file.
  private func confirm(_ source: WALSourceFile, is known: ArchivedWAL, _ writer: WriterKey?) throws -> Report {
    var hasher = Hasher()
    try source.read(host.cancellation) { hasher.update($0) }
    let digest = hasher.finish()
    guard try hasContent(digest, known, writer) else {
      throw EngineError(
        "\(source.name) is archived already for \(options.source), with other contents",
        hint:
          "Nothing was stored. Two servers may be archiving under one name: give each a --name of its own, and take a full of it."
      )
    }
    let manifest = known.manifest
    try repository.checkPresence(manifest.objectKey, length: manifest.object.length)
    try repository.store.settle(below: Keys.wal(options.source, manifest.system, source.name.directory))
    return Report(file: source.name, system: manifest.system, isRepeated: true, storedBytes: 0)
  }

  private func hasContent(_ digest: Digest, _ known: ArchivedWAL, _ writer: WriterKey?) throws -> Bool {
    let manifest = known.manifest
    guard let writer, let sealed = repository.sealed else { return digest == manifest.content }
    if manifest.signature?.key == writer.signing.publicKey {
      return content(digest, manifest.file, manifest.system, writer) == manifest.content
    }
    guard try !sealed.identities().isEmpty else {
      throw EngineError(
        "\(manifest.file) is archived already for \(options.source), by another writer, and this machine cannot open it to compare",
        hint: "Run the same push once with --identity FILE; or give this server a --name of its own.")
    }
    return try archive.facts(of: known).digest == digest
  }
}
