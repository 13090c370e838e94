import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// In a store without locks nobody knows who pushes. There a prune removes what killed pushes left when this machine
/// has known of it for ten minutes.
@Suite(.timeLimit(.minutes(30))) struct FarLeftoverTests {
  private let pushes = WALSample()
  private let log = WALSample.log()
  private let clock = TestClock("2026-11-22T14:00:00Z")
  private var folder: String { "wal/orders/\(log.system)/0000000100000000/" }

  /// - Parameters:
  ///   - leave: leaves something unfinished in the folder.
  ///   - isThere: whether that is still there.
  private func check(_ store: any Store, _ leave: () throws -> Void, isThere: () throws -> Bool) throws {
    let shop = try TestShop(store: store, clock: clock.clock)
    let name = log.segments[0].name
    _ = try pushes.push(name.text, log.segments[0].bytes, shop)
    TestFiles.write("no cluster", to: shop.source.appending("file"))
    try shop.backup(.full) { $0.name = pushes.source }
    let orphan = Keys.walObject(
      pushes.source, log.system, log.segments[2].name, try #require(Identifier(bytes: Array(1...16))))
    let writer = try store.create(orphan)
    try [1, 2, 3].withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    try leave()
    for minutes in [0, 9.9] {
      clock.advance(.minutes(minutes))
      try shop.prune(graceDays: 0)
      #expect(try isThere(), "a push may be at work on it")
      #expect(try store.find([orphan]) != [nil])
    }
    // A push leaves both alone: it does not list what it need not.
    clock.advance(.minutes(0.1))
    _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
    #expect(try isThere())
    try shop.prune(graceDays: 0)
    #expect(try !isThere())
    #expect(try store.find([orphan]) == [nil])
    #expect(try pushes.fetch(name.text, shop) == log.segments[0].bytes)
    try shop.expectSound()
  }

  @Test(.requires(.seaweedFS)) func inABucket() throws {
    let prefix = "\(UInt64.random(in: .min ... .max))/"
    let store = SeaweedFS.shared.store(prefix: prefix)
    let upload = try store.upload(folder + "0000000100000000000000FF-begun")
    try check(store) {
      let part = [UInt8](repeating: 7, count: upload.partBytes ?? 0)
      try part.withUnsafeBytes { try upload.send($0, at: 0) }
    } isThere: {
      try !SeaweedFS.shared.unfinishedUploads(below: prefix + folder).isEmpty
    }
    withExtendedLifetime(upload) {}
  }

  @Test(.requires(.sftpServer)) func onAServerOfSFTP() throws {
    let directory = TemporaryDirectory()
    let place = directory.appending("repository")
    let address = SFTPAddress(user: "backup", host: "127.0.0.1", port: nil, location: "sftp:backup@127.0.0.1/x")
    let store = SFTPStore(address, path: place.text, command: SFTPServerProgram.plain, host: TestHost.make())
    let left = place.appending(folder + ".unfinished-0123")
    try check(store) {
      TestFiles.write("x", to: left)
    } isThere: {
      TestFiles.exists(left)
    }
  }
}
