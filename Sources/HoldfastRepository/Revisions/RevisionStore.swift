package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Reads and publishes the revisions of something that a repository says as a whole. They are read when they are first
/// needed.
package final class RevisionStore<Contents: RevisedManifest>: Sendable {
  /// The revisions from the first on, as far as they are sound, and the reason why there are no more.
  package struct Reading: Sendable {
    package fileprivate(set) var sound: [SignedRevision<Contents>] = []
    /// A `DamageError` or a `FormatError`; `nil` if all could be read.
    package fileprivate(set) var problem: (any OperatorError)?
  }

  let store: any Store
  private let descriptor: Descriptor
  private let keyring: KeyringStore
  private let host: Host
  /// Returns the damage if revisions that this machine has seen are missing, and remembers the newest.
  private let compare: @Sendable ([SignedRevision<Contents>]) -> DamageError?
  /// True if only a writer that may prune signs them.
  private let needsPruning: Bool
  private let known = Mutex<Reading?>(nil)

  init(
    _ store: any Store, _ descriptor: Descriptor, _ keyring: KeyringStore, host: Host, needsPruning: Bool = false,
    compare: @escaping @Sendable ([SignedRevision<Contents>]) -> DamageError? = { _ in nil }
  ) {
    (self.store, self.descriptor, self.keyring, self.host) = (store, descriptor, keyring, host)
    (self.needsPruning, self.compare) = (needsPruning, compare)
  }

  /// Returns what can be read. It is read once, also if it is damaged.
  /// - Throws: when the store does not answer.
  package func reading() throws -> Reading {
    try known.withLock { known in
      if let known { return known }
      let read = try read()
      known = read
      return read
    }
  }

  /// Returns all revisions, in ascending order; empty when there is none.
  /// - Throws: `DamageError` when a revision is missing or not valid, or the signer of the newest may not write it.
  package func revisions() throws -> [SignedRevision<Contents>] {
    let reading = try reading()
    if let problem = reading.problem { throw problem }
    return reading.sound
  }

  /// Forgets what was read, so that it is read anew from the store.
  package func forget() {
    store.refresh()
    known.withLock { $0 = nil }
  }

  private func read() throws -> Reading {
    let names = try store.children(of: Contents.folder)
    guard names.count <= Limits.revisionsMax else {
      return Reading(problem: DamageError(Contents.key(1), "there are too many revisions"))
    }
    store.prefetch(names.map { (Contents.folder + $0, nil) })
    var reading = Reading()
    do {
      for (index, name) in names.enumerated() {
        let key = Contents.key(UInt64(index) + 1)
        guard Contents.folder + name == key else { throw DamageError(key, "it is missing, and \(name) is there") }
        reading.sound.append(
          try store.object(key).firstSound {
            try SignedRevision(
              parsing: $0.contents(max: Limits.envelopeBytesMax), after: reading.sound.last, of: descriptor, name: key)
          })
      }
    } catch let error as any OperatorError where error is DamageError || error is FormatError {
      reading.problem = error
    }
    try leaveOutUnsigned(&reading)
    if let loss = compare(reading.sound) { reading.problem = reading.problem ?? loss }
    return reading
  }

  /// Drops the newest revisions whose signers may not write them. A revision vouches for those before it.
  private func leaveOutUnsigned(_ reading: inout Reading) throws {
    while let newest = reading.sound.last {
      do {
        return try checkSigner(of: newest)
      } catch let damage as DamageError {
        reading.problem = damage
        reading.sound.removeLast()
      }
    }
  }

  /// Returns the revision with these bytes.
  /// - Throws: `DamageError` or `FormatError` when it is not valid, or when its signer may not write.
  package func revision(
    _ bytes: [UInt8], after previous: SignedRevision<Contents>?
  ) throws -> SignedRevision<Contents> {
    let key = Contents.key((previous?.contents.revision ?? 0) + 1)
    let revision = try SignedRevision<Contents>(parsing: bytes, after: previous, of: descriptor, name: key)
    try checkSigner(of: revision)
    return revision
  }

  private func checkSigner(of revision: SignedRevision<Contents>) throws {
    guard let signer = revision.contents.signature?.key, let sealed = keyring.sealed else { return }
    let key = Contents.key(revision.contents.revision)
    if let refusal = sealed.keyring.refusal(of: signer, digest: revision.digest) { throw DamageError(key, refusal) }
    // A writer that has lost the right had it when it signed.
    if needsPruning, !sealed.mightPrune(signer) {
      throw DamageError(key, "it is signed by a writer without the right to prune (\(signer.short))")
    }
  }

  /// Makes the next revision durable.
  /// - Parameter next: the contents. This call sets its number, the digest before, the time, the program and the
  ///   signature.
  /// - Throws: `EngineError` when another run has made it meanwhile, or when it would be too long to be read.
  @discardableResult
  package func publish(_ next: Contents) throws -> SignedRevision<Contents> {
    let revisions = try revisions()
    var next = next
    next.revision = UInt64(revisions.count) + 1
    next.previous = revisions.last?.digest
    next.time = RecordedTime(host.clock.now())
    next.program = Program.nameAndVersion
    let key = Contents.key(next.revision)
    let bytes = try next.serialized(signedBy: keyring.writer()?.signing)
    guard bytes.count <= Limits.envelopeBytesMax, next.revision <= Limits.revisionsMax else {
      throw EngineError(
        .usage, "\(Contents.title) would be longer than this version reads, and nothing was changed",
        hint: "Start a new repository beside this one.")
    }
    try keyring.checkIsNewest(after: "\(Contents.title) \(Contents.areMany ? "were" : "was") changed")
    let revision = try SignedRevision(parsing: bytes, after: revisions.last, of: descriptor, name: key)
    do {
      try store.put(bytes, at: key)
    } catch StoreError.alreadyExists {
      guard try store.openAnew(key).contents(max: Limits.envelopeBytesMax) == bytes else {
        throw EngineError(
          .transient, "\(Contents.title) \(Contents.areMany ? "were" : "was") changed by another run meanwhile",
          hint: "Run the same command again.")
      }
    }
    known.withLock { $0 = Reading(sound: revisions + [revision]) }
    _ = compare(revisions + [revision])
    return revision
  }

  /// Returns the digests of the revisions that a writer has signed.
  package func digests(signedBy key: PublicKey) throws -> [Digest] {
    try revisions().filter { $0.contents.signature?.key == key }.map(\.digest)
  }
}
