internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

extension Verify {
  /// The result of verifying the archived WAL of one cluster.
  package struct LogResult: Sendable {
    package let source: SourceName
    package let system: SystemIdentifier
    package internal(set) var files: UInt64 = 0
    package internal(set) var soundFiles: UInt64 = 0
    package internal(set) var findings: [Finding] = []
    package internal(set) var provenBytes: UInt64 = 0
    package internal(set) var duration = TimeSpan.zero
    /// True if it is sealed and no identity opens it here: then only signatures, digests and presence were verified.
    package internal(set) var isClosed = false
  }
}

/// Verifies that every file of an archived WAL can be fetched, with the code of a fetch.
struct WALVerify {
  let repository: Repository
  let options: Verify.Options
  let progress: any ProgressObserver
  private let sample: Sample

  init(repository: Repository, options: Verify.Options, progress: any ProgressObserver) {
    (self.repository, self.options, self.progress) = (repository, options, progress)
    sample = Sample(options, random: repository.host.random)
  }

  /// - Parameter source: one source; `nil` for all.
  func run(_ source: SourceName?) throws -> [Verify.LogResult] {
    let sources = try repository.catalog.loggedSourceNames().filter { source == nil || $0 == source }
    return try sources.flatMap { source in
      let archive = WALArchive(repository, of: source)
      return try archive.systems().map { try verify(archive, $0) }
    }
  }

  private func verify(_ archive: WALArchive, _ system: SystemIdentifier) throws -> Verify.LogResult {
    let begun = repository.host.clock.uptime()
    var result = Verify.LogResult(source: archive.source, system: system)
    var copies: [(file: WALFileName, copy: UInt64)] = try archive.allCopies(of: system)[...].reversed()
    while let file = copies.last?.file {
      var damage: [String] = []
      var isSound = false
      while copies.last?.file == file, let copy = copies.popLast()?.copy {
        try repository.host.cancellation.check()
        do {
          if try verify(file, copy, of: system, archive, into: &result) { isSound = true }
        } catch let error as any OperatorError where error.isDamage {
          // A prune removes the manifest first. If it has removed this copy meanwhile, the missing objects are no
          // damage.
          if try isListed(file, copy, of: system, archive) { damage.append(error.message) }
        }
      }
      guard isSound || !damage.isEmpty else { continue }
      result.files += 1
      if isSound { result.soundFiles += 1 }
      result.findings += damage.map {
        Verify.Finding(message: isSound ? $0 + "; another copy of the file is sound" : $0, costsData: !isSound)
      }
    }
    try findGaps(archive, system, into: &result)
    result.duration = repository.host.clock.uptime() - begun
    return result
  }

  /// Returns true if the store has a copy now.
  private func isListed(
    _ file: WALFileName, _ copy: UInt64, of system: SystemIdentifier, _ archive: WALArchive
  ) throws -> Bool {
    repository.store.refresh()
    return try archive.copies(of: system, in: file.directory)[file]?.contains(copy) ?? false
  }

  /// - Returns: `false` if the copy was removed since it was listed.
  private func verify(
    _ file: WALFileName, _ copy: UInt64, of system: SystemIdentifier, _ archive: WALArchive,
    into result: inout Verify.LogResult
  ) throws -> Bool {
    guard let archived = try archive.find(file, of: system, copy: copy) else { return false }
    let manifest = archived.manifest
    let closed = try archive.open(archived, isClosed: true)
    var isOpen = true
    if let sealed = repository.keyring.sealed {
      let recipients = try sealed.revision(manifest.keyring, of: archived.key).recipients.map(\.id)
      guard closed.recipients.count == recipients.count, Set(closed.recipients) == Set(recipients) else {
        throw DamageError(closed.name, "it is not sealed to the recipients of its keyring")
      }
      isOpen = try sealed.identities().contains { recipients.contains($0.recipient.id) }
      result.isClosed = result.isClosed || !isOpen
    }
    guard options.readsData, sample.isChosen(name: archived.manifest.objectKey) else {
      if isOpen { _ = try archive.facts(of: archived) }
      return true
    }
    if isOpen {
      try verifyContents(of: archived, archive)
    } else {
      try WALContents(closed, cancellation: repository.host.cancellation).verifyStored()
    }
    result.provenBytes = result.provenBytes.saturatingAdding(manifest.object.length)
    progress.advance(bytes: manifest.object.length, files: 1)
    return true
  }

  /// Reads a file as a fetch does, and checks that it is what its name says.
  private func verifyContents(of archived: ArchivedWAL, _ archive: WALArchive) throws {
    var isFirst = true
    try archive.read(archived) { bytes in
      defer { isFirst = false }
      guard isFirst, archived.file.isLog else { return }
      let name = Path(archived.manifest.objectKey)
      _ = try WALFile.checkSegment(archived.file, head: bytes, size: archived.manifest.size, path: name)
    }
  }

  /// Reports gaps. A gap affects no snapshot, but recovery cannot pass it.
  private func findGaps(
    _ archive: WALArchive, _ system: SystemIdentifier, into result: inout Verify.LogResult
  ) throws {
    let inventory: WALInventory
    do {
      inventory = try WALInventory(archive, system)
    } catch  where error.isDamage {
      // This was reported already.
      return
    }
    for gap in inventory.numbers.keys.sorted().flatMap({ inventory.gaps(on: $0) }) {
      result.findings.append(
        Verify.Finding(
          message: gap.count == 1
            ? "\(gap.first) is missing between others of its timeline: recovery cannot pass it"
            : "\(gap.count) segments from \(gap.first) to \(gap.last) are missing: recovery cannot pass them",
          costsData: false, isGap: true))
    }
  }
}
