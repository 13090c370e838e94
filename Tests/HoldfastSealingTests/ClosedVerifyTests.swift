import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A machine without any key proves every stored byte of a sealed repository, and says that it read none of them.
@Suite struct ClosedVerifyTests {
  private let sealed: SealedShop
  private let snapshots: [Snapshot]

  init() throws {
    sealed = try SealedShop()
    snapshots = [try sealed.backup(), try sealed.backup()]
  }

  @Test func itSaysWhatItProved() throws {
    let closed = try sealed.verify(as: .nobody)
    #expect(closed.exitStatus == .done)
    #expect(closed.isClosed)
    let objects = sealed.store.contents.filter { $0.key.contains("/body-") || $0.key.contains("/archive-") }
    // What is no frame is proved by opening an object: header, preamble, index, seal and trailer.
    let frames = objects.values.map { bytes in
      SealedShop.number(bytes, at: bytes.count - 32, count: 8) - 64 - SealedShop.number(bytes, at: 12, count: 4)
    }
    #expect(closed.provenBytes == UInt64(frames.reduce(0, +)))
    #expect(closed.provenFrames == 4)
    let opened = try sealed.verify(as: .owner)
    #expect(opened.exitStatus == .done)
    #expect(!opened.isClosed)
    // A run over frames that were proved by their pages, and the bodies by replay.
    #expect(opened.provenFrames == 2)
    #expect(try sealed.verify(as: .backupHost).isClosed)
  }

  /// With the bytes that belong to no snapshot as well: descriptor and keyring. Leases are not verified: nothing that
  /// is restored comes from them. By day it is one byte in eight.
  @Test func everyFlippedByteIsFound() throws {
    let sealed = try SealedShop()
    try sealed.backup()
    let whole = sealed.store.contents.filter { !$0.key.hasPrefix("leases/") }
    #expect(whole.count == 5)
    for (key, bytes) in whole {
      for index in Trials.places(bytes.count) {
        sealed.store.contents[key]?[index] ^= index.isMultiple(of: 2) ? 0x01 : 0x80
        let report = try? sealed.verify(as: .nobody)
        #expect(report?.exitStatus != .done, "byte \(index) of \(key)")
        sealed.store.contents[key]?[index] = bytes[index]
      }
    }
    #expect(try sealed.verify(as: .nobody).exitStatus == .done)
  }

  @Test func aFlippedByteCostsDataThoughNobodyKnowsWhose() throws {
    let archive = SealedShop.archiveKey(snapshots[0])
    let place = 64 + SealedShop.number(sealed.store.contents[archive] ?? [], at: 12, count: 4)
    sealed.store.contents[archive]?[place] ^= 1
    let report = try sealed.verify(as: .nobody)
    #expect(report.exitStatus == .dataLoss)
    #expect(
      report.snapshots.map { $0.findings.map(\.message) } == [
        ["\(archive) is damaged: frame 0 does not have its digest"],
        ["it builds on \(snapshots[0].id.short), which is damaged"],
      ])
    #expect(report.snapshots.allSatisfy { $0.damagedFiles.isEmpty })
    let opened = try sealed.verify(as: .owner)
    #expect(opened.snapshots.first?.damagedFiles == [Path("order 1")])
  }

  /// Without `--data` presence, lengths and everything that is no frame.
  @Test func missingObjectsAreFoundWithoutReadingFrames() throws {
    let whole = sealed.store.contents
    for key in whole.keys.sorted() where key.hasPrefix("sources/") {
      sealed.store.contents[key] = nil
      let status = try sealed.verify(as: .nobody, data: false).exitStatus
      // Of the newest manifest only a machine with memory knows that it was there.
      #expect(status == (key == SealedShop.key(snapshots[1]) ? .done : .dataLoss), "\(key)")
      sealed.store.contents = whole
    }
    #expect(try sealed.verify(as: .nobody, data: false).exitStatus == .done)
  }

  @Test func identitiesThatOpenNothingAreNoProof() throws {
    var credentials = Credentials.none
    credentials.identities = { _ in [try RecoveryIdentity()] }
    let repository = try Repository.open(sealed.store, host: sealed.shop.host, credentials: credentials)
    let error = #expect(throws: KeyError.self) { try sealed.shop.verify(in: repository) }
    #expect(
      error?.message == "none of the identities at hand opens this snapshot; it is sealed to \(sealed.owner)")
  }

  /// An identity that is missing proves no damage. No backup makes a chain that is sealed to others in part, but its
  /// writer can sign one, and nothing in it is wrong for whoever has all identities.
  @Test func aChainThatIsSealedToOthersInPartIsClosed() throws {
    let second = try RecoveryIdentity()
    var change = try KeyringChange(sealed.shop.open(as: .owner))
    try change.add(Keyring.Member(second.recipient, name: "second"))
    _ = try change.publish()
    let late = try sealed.backup()
    #expect(late.envelope.kind == .full)
    try sealed.replace(late) {
      $0.kind = .incremental
      $0.parent = snapshots[1].asParent
      let number = UInt64(snapshots.map(\.envelope.archives.count).reduce(0, +))
      $0.archives = ArchiveList(
        $0.archives.map {
          Envelope.Archive(
            number: number + $0.number, sequence: $0.sequence, id: $0.id, length: $0.length, digest: $0.digest)
        })
    }
    var credentials = Credentials.none
    credentials.identities = { _ in [second] }
    let repository = try Repository.open(sealed.store, host: sealed.shop.host, credentials: credentials)
    let report = try sealed.shop.verify(data: true, in: repository)
    #expect(report.snapshots.map(\.isClosed) == [true, true, true])
    #expect(report.snapshots.flatMap(\.findings) == [])
    #expect(report.exitStatus == .done && report.provenFrames > 0)
  }

  // MARK: The newest snapshot

  private func verify(expecting head: String) throws -> Verify.Report {
    try sealed.shop.verify(data: false, in: sealed.shop.open(as: .nobody, memory: ClientMemory.none)) {
      $0.expectedHead = head
    }
  }

  @Test func theExpectedHeadIsTheNewest() throws {
    let newest = snapshots[1]
    for head in [newest.id.description, String(newest.digest.description.prefix(32)), newest.digest.description] {
      #expect(try verify(expecting: head).exitStatus == .done, "\(head)")
    }
    let ended = String(newest.id.description.dropLast()) + (newest.id.description.last == "0" ? "1" : "0")
    // An empty one is a variable that was not set; what is short can be met by a forged snapshot.
    for head in ["", newest.id.short, "latest"] { #expect(throws: EngineError.self) { try verify(expecting: head) } }
    for head in [snapshots[0].id.description, snapshots[0].digest.description, ended] {
      let report = try verify(expecting: head)
      #expect(report.exitStatus == .dataLoss, "\(head)")
      #expect(
        report.unreadable.map(\.message) == [
          "the repository is damaged: the newest snapshot is not \(head), as expected, but \(newest.id.short) of source"
        ])
    }
  }

  @Test func theExpectedHeadOfSeveralSources() throws {
    let other = try sealed.shop.backup(in: sealed.shop.open(as: .backupHost)) { $0.name = SourceName("other") }
    for head in [snapshots[1].id.description, other.envelope.snapshot.description] {
      #expect(try verify(expecting: head).exitStatus == .done)
    }
    let none = String(repeating: "0", count: 32)
    #expect(
      try verify(expecting: none).unreadable.map(\.finding) == [
        "the newest snapshot is not \(none), as expected, but \(other.envelope.snapshot.short) of other, \(snapshots[1].id.short) of source"
      ])
    sealed.store.contents = sealed.store.contents.filter { !$0.key.hasPrefix(Keys.sources) }
    #expect(
      try verify(expecting: none).unreadable.map(\.finding) == [
        "the newest snapshot is not \(none), as expected, but there is none"
      ])
  }
}
