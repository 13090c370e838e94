import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A connection that breaks in the middle, and a server that refuses, is full, or lets a user only add.
@Suite(.requires(.sftpServer), .timeLimit(.minutes(30))) struct SFTPFaultTests {
  private let directory = TemporaryDirectory()
  private let program = SFTPServerProgram()
  private let time = TimelessRetry()
  private var place: Path { directory.appending("new") }
  private var location: String { "sftp:backup@127.0.0.1\(place.text)" }

  private func store(_ mode: SFTPServerProgram.Mode) -> SFTPStore { SFTPTest.store(place, program.command(mode)) }

  private func put(_ bytes: [UInt8], at key: String, in store: any Store) throws {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func send(_ bytes: [UInt8], at offset: UInt64, to upload: any ObjectUpload) throws {
    try bytes.withUnsafeBytes { try upload.send($0, at: offset) }
  }

  private func read(_ key: String, in store: any Store) throws -> [UInt8] {
    let object = try store.open(key)
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return bytes
  }

  private func kill(_ store: SFTPStore) throws {
    let process = try #require(store.processID)
    #expect(Tool().other("kill", "-9", "--", "-\(process)").exitStatus == 0)
    // A request that is sent before the end is seen is lost with the connection: that is for retries.
    while store.processID != nil { Pause.briefly() }
  }

  // MARK: A lost answer

  /// Whatever was done before the connection broke: one object, with its bytes, and nothing unfinished.
  @Test(arguments: ["OPEN", "WRITE", "fsync", "hardlink", "RENAME", "REMOVE", "LSTAT", "MKDIR", "READ", "limits"])
  func anAnswerThatWasLostIsNoFailure(to kind: String) throws {
    let below = store(.losesAnswer(to: kind))
    let store = RetryingStore(below, time.retrier())
    try put([1, 2, 3], at: "a/b", in: store)
    #expect(try read("a/b", in: store) == [1, 2, 3])
    try store.remove("a/c")
    #expect(program.starts == 2)
    // The first file of an upload that began twice stays; it does not count.
    let names = TestFiles.names(in: place.appending("a")).filter { !$0.hasPrefix(".") }
    #expect(names == ["b"])
    if !["OPEN", "MKDIR", "limits"].contains(kind) { #expect(TestFiles.names(in: place.appending("a")) == ["b"]) }
  }

  /// An object that somebody else made is not taken for one's own.
  @Test(arguments: ["hardlink", "RENAME"]) func anotherObjectIsNotOnesOwn(_ kind: String) throws {
    try put([1, 2, 3], at: "a/b", in: SFTPTest.store(place, SFTPServerProgram.plain))
    let store = RetryingStore(store(.losesAnswer(to: kind)), time.retrier())
    #expect(throws: StoreError.alreadyExists(key: "a/b", location: location)) {
      try put([1, 2, 4], at: "a/b", in: store)
    }
    #expect(TestFiles.names(in: place.appending("a")) == ["b"])
  }

  /// The object that is replaced may be of the same length.
  @Test func aReplacementWhoseAnswerWasLostIsNoFailure() throws {
    let store = RetryingStore(store(.losesAnswer(to: "posix-rename")), time.retrier())
    try put([1, 2, 3], at: "a/b", in: store)
    let replacement = try #require(try store.replacement(of: "a/b"))
    try send([4, 5, 6], at: 0, to: replacement)
    try replacement.commit()
    #expect(try read("a/b", in: store) == [4, 5, 6])
    #expect(TestFiles.names(in: place.appending("a")) == ["b"])
    #expect(program.starts == 2)
  }

  @Test func aServerThatCannotReplaceInOneStepIsAskedForNone() throws {
    let store = store(.without(["posix-rename@openssh.com"]))
    try put([1], at: "a/b", in: store)
    #expect(try store.replacement(of: "a/b") == nil)
  }

  /// SSH_FX_PERMISSION_DENIED is 3.
  @Test func aReplacementThatIsForbiddenLeavesTheObject() throws {
    let store = store(.refuses("posix-rename", status: 3))
    try put([1], at: "a/b", in: store)
    let replacement = try #require(try store.replacement(of: "a/b"))
    try send([2], at: 0, to: replacement)
    #expect(throws: StoreError.removalRefused(key: "a/b", location: location, .sftp)) { try replacement.commit() }
    #expect(TestFiles.names(in: place.appending("a")) == ["b"])
    #expect(TestFiles.read(place.appending("a/b")) == [1])
  }

  // MARK: A connection that is killed

  @Test func anUploadGoesOnOverANewConnection() throws {
    let store = SFTPTest.store(place, SFTPServerProgram.plain)
    let upload = try store.upload("a/b")
    let size = try #require(upload.partBytes)
    var random = SeededRandom(seed: 5)
    let parts = [random.bytes(size), random.bytes(size), random.bytes(1000)]
    try send(parts[0], at: 0, to: upload)
    try kill(store)
    try send(parts[1], at: UInt64(size), to: upload)
    try kill(store)
    try send(parts[2], at: UInt64(2 * size), to: upload)
    try kill(store)
    try upload.commit()
    #expect(try read("a/b", in: store) == Array(parts.joined()))
    #expect(TestFiles.names(in: place.appending("a")) == ["b"])
  }

  /// To a user other than root an object is read-only from its first byte on: what has arrived is copied.
  @Test(.requires(.root)) func anUploadGoesOnAsAUserWithoutPrivileges() throws {
    TestFiles.setMode(directory.path, 0o777)
    let store = SFTPTest.store(
      place, "setpriv --reuid=\(Unprivileged.userID) --clear-groups sh -c \(SFTPServerProgram.path.text)")
    let upload = try store.upload("a/b")
    let size = try #require(upload.partBytes)
    var random = SeededRandom(seed: 6)
    let parts = [random.bytes(size), random.bytes(1000)]
    try send(parts[0], at: 0, to: upload)
    try kill(store)
    try send(parts[1], at: UInt64(size), to: upload)
    try kill(store)
    try upload.commit()
    #expect(try read("a/b", in: store) == Array(parts.joined()))
    #expect(TestFiles.names(in: place.appending("a")) == ["b"])
    #expect(TestFiles.permissions(place.appending("a/b")) == 0o400)
    #expect(TestFiles.permissions(place.appending("a")) == 0o700)
  }

  /// A server that was restarted may have lost what it had confirmed: the object is not committed.
  @Test func bytesThatAServerLostAreMissed() throws {
    let store = SFTPTest.store(place, SFTPServerProgram.plain)
    for isShorter in [true, false] {
      let upload = try store.upload("a/b")
      try send([UInt8](repeating: 7, count: 10_000), at: 0, to: upload)
      try kill(store)
      let name = try #require(TestFiles.names(in: place.appending("a")).first)
      TestFiles.truncate(place.appending("a/\(name)"), to: 5000)
      if !isShorter { TestFiles.truncate(place.appending("a/\(name)"), to: 10_000) }
      for _ in 1...2 {
        let error = #expect(throws: SFTPError.self) { try upload.commit() }
        guard case .lost = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
        #expect(error?.isTransient == false)
      }
      #expect(TestFiles.names(in: place.appending("a")) == [])
    }
  }

  @Test func anObjectIsReadOnOverANewConnection() throws {
    let store = SFTPTest.store(place, SFTPServerProgram.plain)
    try put([1, 2, 3], at: "a/b", in: store)
    let object = try store.open("a/b")
    try kill(store)
    var bytes: [UInt8] = [0, 0]
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 1) }
    #expect(bytes == [2, 3])
  }

  /// A server holds few open files: the reader gives them back, and opens them again.
  @Test func moreObjectsAreReadThanAreHeldOpen() throws {
    let store = SFTPTest.store(place, "ulimit -n 100; \(SFTPServerProgram.plain)")
    for number in 0..<150 { try put([UInt8(number)], at: "a/\(number)", in: store) }
    let objects = try (0..<150).map { try store.open("a/\($0)") }
    for number in (0..<150).reversed() {
      var byte: [UInt8] = [0]
      try byte.withUnsafeMutableBytes { try objects[number].read(into: $0, at: 0) }
      #expect(byte == [UInt8(number)])
    }
  }

  // MARK: Refusals

  @Test func aFullServerIsNamed() throws {
    let error = #expect(throws: SFTPError.self) { try put([1], at: "a/b", in: store(.full)) }
    #expect(error == .full(location: location))
    #expect(error?.hint == "Free space there, then run the same command again.")
    #expect(error?.isTransient == false)
  }

  @Test func aRefusalToWriteIsNamed() throws {
    let error = #expect(throws: SFTPError.self) { try store(.refuses("MKDIR", status: 3)).upload("a/b") }
    #expect(error?.message == "\(location) does not allow to make a")
    #expect(error?.isTransient == false)
  }

  @Test func whereNothingMayBeRemovedThatIsSaidOfWhatIsThere() throws {
    let store = store(.refuses("REMOVE", status: 3))
    for number in 1...3 { try put([1], at: "a/\(number)", in: store) }
    #expect(throws: StoreError.removalRefused(key: "a/1", location: location, .sftp)) { try store.remove("a/1") }
    #expect(throws: StoreError.removalRefused(key: "a/1", location: location, .sftp)) {
      try store.removeBriefly(["a/1"])
    }
    try store.remove("a/4")
    #expect(try store.names(below: "a/") == ["1", "2", "3"])
    #expect(try store.probe(.system).capabilities.removes == false)
    // Only the first was linked before its temporary name could not be removed.
    #expect(TestFiles.names(in: place.appending("a")).count { $0.hasPrefix(".unfinished-") } == 1)
  }

  /// A server without the extensions says what is weaker.
  @Test func aServerWithoutExtensionsIsAWeakOne() throws {
    let probe = try store(.without(SFTPTest.extensions)).probe(.system)
    #expect(!probe.capabilities.isDurable)
    #expect(probe.capabilities.createsIfAbsent)
    #expect(
      probe.weaknesses == [
        "\(location) does not say when what is written survives a loss of power: what was committed in its last minutes may be lost with it"
      ])
  }

  @Test func whatIsUnfinishedIsCollected() throws {
    let store = SFTPTest.store(place, SFTPServerProgram.plain)
    try put([1], at: "a/b", in: store)
    TestFiles.write("", to: place.appending("a/.unfinished-0123"))
    TestFiles.write("", to: place.appending("a/.other"))
    TestFiles.makeDirectory(place.appending("c"))
    TestFiles.write("", to: place.appending("c/.unfinished-4567"))
    #expect(try store.names(below: "a/") == ["b"])
    try store.removeUnfinished(in: "a/")
    #expect(TestFiles.names(in: place.appending("a")).sorted() == [".other", "b"])
    try store.removeUnfinished(in: "nothing/")
    let left = try store.unfinished(below: "", .everything)
    #expect(left.map(\.key) == ["c/.unfinished-4567"])
    for _ in 1...2 { try store.removeUnfinished(left) }
    #expect(TestFiles.names(in: place.appending("c")) == [])
  }

  /// Neither a link nor a fifo is read; a fifo would make the server wait for ever.
  @Test func whatIsNoFileIsForeign() throws {
    let store = SFTPTest.store(place, SFTPServerProgram.plain)
    try put([1], at: "a/b", in: store)
    TestFiles.symbolicLink("b", at: place.appending("a/link"))
    TestFiles.makeFifo(place.appending("a/fifo"))
    TestFiles.makeDirectory(place.appending("a/folder"))
    for name in ["link", "fifo", "folder"] {
      for length in [nil, 1] as [UInt64?] {
        #expect(throws: StoreError.foreign(key: "a/\(name)", location: location), "\(name)") {
          var byte: [UInt8] = [0]
          try byte.withUnsafeMutableBytes { try store.open("a/\(name)", length: length).read(into: $0, at: 0) }
        }
      }
    }
    #expect(try read("a/b", in: store) == [1])
    #expect(
      try store.find(["a/link", "a/fifo", "a/folder", "a/b"]) == [.foreign, .foreign, .folder, .object(length: 1)])
  }
}
