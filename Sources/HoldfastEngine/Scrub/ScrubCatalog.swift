internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Compares the descriptor and the keyring of a target with those of the repository that was opened.
struct ScrubCatalog {
  let target: ScrubTarget
  /// Home, or the first target that could be opened.
  let reference: Repository

  /// Returns the faults of the descriptor and the keyring.
  /// - Throws: `TargetError` when it is no target of this repository, or has another keyring.
  func faults() throws -> [ScrubFault] {
    var faults: [ScrubFault] = []
    if let fault = try descriptorFault() { faults.append(fault) }
    let names = try reference.store.children(of: Keys.keyring)
    let history = try KeyringHistory(of: reference.descriptor, names: names, in: reference.store).revisions
    let there = try target.repository.store.children(of: Keys.keyring)
    let newer = there.compactMap(revision).first { $0 > UInt64(history.count) }
    if let newer {
      throw TargetError.newerKeyring(revision: newer, target: target.location, home: reference.location)
    }
    // A sync copies the revisions that follow the newest one of another target than home.
    let newest = target.isHome ? names.last : there.max() ?? names.first
    for (index, name) in names.enumerated() where name <= newest ?? "" {
      let key = Keys.keyring + name
      let right = try bytes(key, in: reference)
      let found = Result { try target.bytes(key) }
      guard (try? found.get()) != right else { continue }
      if case .success(let bytes?) = found {
        try checkIsDamaged(bytes, key, after: index > 0 ? history[index - 1] : nil)
      }
      let previous = index > 0 ? history[index - 1] : nil
      faults.append(
        try fault(key, found, right) { [repository = reference.id] in
          (try? KeyringRevision(parsing: $0, after: previous, repository: repository, name: key))
            != nil
        })
    }
    return faults
  }

  /// Checks that bytes that differ from the reference are damaged.
  /// - Throws: `TargetError.forkedKeyring` when they are a sound revision.
  private func checkIsDamaged(_ bytes: [UInt8], _ key: String, after previous: KeyringRevision?) throws {
    do {
      let other = try KeyringRevision(parsing: bytes, after: previous, repository: reference.id, name: key)
      throw TargetError.forkedKeyring(
        revision: other.keyring.revision, target: target.location, home: reference.location)
    } catch is DamageError {
      // The caller replaces it.
    }
  }

  /// Returns true if the target is not home, and the reference has a newer revision of the keyring.
  func isBehind() throws -> Bool {
    let there = try target.repository.store.children(of: Keys.keyring).max() ?? ""
    return try !target.isHome && there < reference.store.children(of: Keys.keyring).max() ?? ""
  }

  private func descriptorFault() throws -> ScrubFault? {
    let right = try bytes(Keys.descriptor, in: reference)
    let found = Result { try target.bytes(Keys.descriptor) }
    let bytes = try? found.get()
    if let bytes, bytes == right { return nil }
    do {
      if let bytes {
        let descriptor = try Descriptor(parsing: bytes, name: Keys.descriptor)
        guard descriptor.repository == reference.id else {
          throw TargetError.otherRepository(target: target.location, home: reference.location)
        }
        throw TargetError.forked(key: Keys.descriptor, target: target.location, home: reference.location)
      }
    } catch let damage as DamageError {
      try checkIsOurs()
      return ScrubFault(damage: damage, demand: .small(right, isSound: Self.isDescriptor))
    }
    try checkIsOurs()
    return try fault(Keys.descriptor, found, right, isSound: Self.isDescriptor)
  }

  /// Checks, for lack of a sound descriptor, that the first revision of the keyring or a snapshot shows that this is a
  /// target of the repository.
  /// - Throws: `TargetError.absent` when neither does.
  private func checkIsOurs() throws {
    let first = Keys.keyring(1)
    if reference.keyring.isSealed, let bytes = try? target.bytes(first),
      try bytes == self.bytes(first, in: reference)
    {
      return
    }
    for source in try target.repository.catalog.sourceNames() {
      for sequence in try target.repository.catalog.sequences(of: source) {
        if (try? target.repository.catalog.snapshotIfCommitted(source, sequence)) != nil { return }
      }
    }
    let store = target.repository.store
    throw TargetError.absent(target: target.location, absenceQuestion: store.scheme.absenceQuestion)
  }

  private func bytes(_ key: String, in repository: Repository) throws -> [UInt8] {
    try repository.store.object(key).contents(max: Limits.envelopeBytesMax)
  }

  @Sendable private static func isDescriptor(_ bytes: [UInt8]) -> Bool {
    (try? Descriptor(parsing: bytes, name: Keys.descriptor)) != nil
  }

  private func fault(
    _ key: String, _ found: Result<[UInt8]?, any Error>, _ right: [UInt8],
    isSound: @escaping @Sendable ([UInt8]) -> Bool
  ) throws -> ScrubFault {
    let demand = ScrubFault.Demand.small(right, isSound: isSound)
    return switch found {
    case .success(nil):
      ScrubFault(damage: DamageError(key, "it is missing"), demand: demand, isMissing: true)
    case .success(.some):
      ScrubFault(
        damage: DamageError(key, "its bytes are not those of the revision"), demand: demand)
    case .failure(let damage as DamageError): ScrubFault(damage: damage, demand: demand)
    case .failure(let error): throw error
    }
  }

  private func revision(_ name: String) -> UInt64? {
    guard let number = UInt64(name.prefix { $0 != "." }), Keys.keyring + name == Keys.keyring(number) else {
      return nil
    }
    return number
  }
}
