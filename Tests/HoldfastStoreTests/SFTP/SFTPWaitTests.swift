import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// How often a server is waited for: behind a long line each wait is a round trip. Counted, not timed.
@Suite(.requires(.sftpServer), .timeLimit(.minutes(30))) struct SFTPWaitTests {
  private let directory = TemporaryDirectory()
  private var store: SFTPStore { SFTPTest.store(directory.appending("new"), SFTPServerProgram.plain) }

  private func waits(_ store: SFTPStore, _ body: () throws -> Void) rethrows -> Int {
    let before = store.waits
    try body()
    return store.waits - before
  }

  private func put(_ key: String, _ count: Int = 3, in store: SFTPStore) throws {
    let writer = try store.create(key)
    try [UInt8](repeating: 7, count: count).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  @Test func aConnectionIsReadyAfterOne() throws {
    let store = store
    #expect(try waits(store) { _ = try store.find(["a"]) } == 2)
    #expect(try waits(store) { _ = try store.find(["a", "b", "c"]) } == 1)
  }

  /// Opened, written and made durable, linked, its name made durable. That the folder is new costs nothing.
  @Test func anObjectIsCommittedInFour() throws {
    let store = store
    try put("first", in: store)
    #expect(try waits(store) { try put("a/1", in: store) } == 4)
    #expect(try waits(store) { try put("a/2", in: store) } == 4)
    #expect(try waits(store) { try put("a/3", 2 << 20, in: store) } == 4)
    #expect(try store.names(below: "a/") == ["1", "2", "3"])
    #expect(TestFiles.names(in: directory.appending("new/a")).sorted() == ["1", "2", "3"])
  }

  @Test func anObjectIsReadInTwo() throws {
    let store = store
    try put("a/1", 1_000_000, in: store)
    let taken = try waits(store) {
      var bytes = [UInt8](repeating: 0, count: 1_000_000)
      let object = try store.open("a/1", length: 1_000_000)
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
      #expect(bytes.allSatisfy { $0 == 7 })
    }
    #expect(taken == 2)
  }

  /// Two for each level, however many folders a level has.
  @Test(arguments: [1, 90]) func aDeepListingWaitsByLevels(folders: Int) throws {
    let store = store
    try put("a/object", in: store)
    for number in 1...folders {
      let folder = directory.appending("new/a/\(number)")
      TestFiles.makeDirectory(folder)
      for name in ["1", "2", ".unfinished-3"] { TestFiles.write("x", to: folder.appending(name)) }
    }
    var found = 0
    let taken = try waits(store) {
      found = try store.list("a/", .everything, after: nil, max: .max).entries.count
    }
    #expect(found == 1 + 2 * folders)
    #expect(taken == 4)
  }

  /// More folders than a server opens at once, and more names than it tells at once.
  @Test func aListingOfMuchIsWhole() throws {
    let store = SFTPTest.store(directory.appending("new"), "ulimit -n 120; \(SFTPServerProgram.plain)")
    try put("a/object", in: store)
    for number in 1...300 {
      let folder = directory.appending("new/a/\(number)")
      TestFiles.makeDirectory(folder)
      TestFiles.write("x", to: folder.appending("1"))
    }
    TestFiles.makeDirectory(directory.appending("new/b"))
    for number in 1...3000 { TestFiles.write("x", to: directory.appending("new/b/\(number)")) }
    #expect(try store.list("a/", .everything, after: nil, max: .max).entries.count == 301)
    #expect(try store.list("b/", .children, after: nil, max: .max).entries.count == 3000)
    // No handle is left open: the server would refuse more before long.
    for _ in 1...10 { #expect(try store.names(below: "a/").count == 301) }
  }

  @Test func aFolderIsRemovedInSix() throws {
    let store = store
    for number in 1...20 { try put("a/b/\(number)", in: store) }
    #expect(try waits(store) { try store.removeAll(below: "a/b/") } == 6)
    #expect(TestFiles.names(in: directory.appending("new/a")) == [])
    try store.removeAll(below: "a/b/")
  }
}
