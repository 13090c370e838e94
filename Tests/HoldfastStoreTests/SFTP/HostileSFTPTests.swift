import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A server that sends what no server sends, or nothing, can neither hang a run nor fill its memory.
@Suite(.requires(.sftpServer), .timeLimit(.minutes(30))) struct HostileSFTPTests {
  private let directory = TemporaryDirectory()
  private let program = SFTPServerProgram()
  private var place: Path { directory.appending("new") }

  private static func impatient() -> SFTPPatience {
    var patience = SFTPPatience()
    (patience.stall, patience.request, patience.afterSignal) = (.seconds(1), .seconds(2), .milliseconds(300))
    return patience
  }

  private func store(
    _ mode: SFTPServerProgram.Mode, _ cancellation: Cancellation = Cancellation()
  ) -> SFTPStore {
    SFTPTest.store(place, program.command(mode), patience: Self.impatient(), cancellation)
  }

  private func fill() throws {
    let writer = try SFTPTest.store(place, SFTPServerProgram.plain).create("a/b")
    try [UInt8](repeating: 7, count: 1000).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func read(_ store: SFTPStore, _ count: Int = 1000) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let object = try store.open("a/b")
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return bytes
  }

  // MARK: Silence

  @Test(arguments: [SFTPServerProgram.Mode.silent, .stalls(after: 0), .stalls(after: 2)])
  func silenceEnds(_ mode: SFTPServerProgram.Mode) throws {
    try fill()
    let error = #expect(throws: StoreError.self) { try read(store(mode)) }
    #expect(error?.isTransient == true)
    #expect(error?.message.hasSuffix("does not answer: no answer for 1 s") == true)
  }

  /// After a signal nobody waits for a whole minute.
  @Test func aSignalEndsAWait() throws {
    let cancellation = Cancellation()
    cancellation.raise()
    let begun = ContinuousClock.now
    var patience = SFTPPatience()
    patience.afterSignal = .milliseconds(300)
    let store = SFTPTest.store(place, program.command(.silent), patience: patience, cancellation)
    #expect(throws: StoreError.self) { try store.list("", .children, after: nil, max: 10) }
    #expect(ContinuousClock.now - begun < .seconds(30))
  }

  // MARK: Nonsense

  @Test func textInPlaceOfTheProtocolIsNamed() throws {
    let error = #expect(throws: SFTPError.self) { try read(store(.text)) }
    #expect(error?.message.contains("it begins with \"Welcome to the machine") == true)
    #expect(error?.hint?.contains(".bashrc") == true)
    #expect(error?.isTransient == false)
  }

  private func expectViolation(
    _ finding: String, _ mode: SFTPServerProgram.Mode, _ body: (SFTPStore) throws -> Void
  ) throws {
    try fill()
    let store = store(mode)
    let error = #expect(throws: SFTPError.self) { try body(store) }
    #expect(error == .violation(location: store.location, finding: finding))
  }

  @Test func aHugePacketIsRefused() throws {
    try expectViolation("a packet of 2147483647 bytes", .huge) { _ = try read($0) }
  }

  @Test func answersToNoRequestAreRefused() throws {
    try expectViolation("an answer to no request", .otherNumbers) { _ = try read($0) }
  }

  @Test(arguments: [0, 1001, 200_000]) func anotherNumberOfBytesIsRefused(_ count: Int) throws {
    try expectViolation("\(count) bytes of a file where 1000 were asked for", .reads(count: count)) {
      _ = try read($0)
    }
  }

  @Test func aFileInTinyPiecesIsRefused() throws {
    try expectViolation("a file in tiny pieces", .reads(count: 1)) { _ = try read($0) }
    #expect(try read(store(.reads(count: 1)), 3) == Array("xxx".utf8))
  }

  @Test(arguments: ["a/b", "/etc/passwd", "../x", "a\0b", ""]) func aNameThatNoFileHasIsRefused(_ name: String) throws {
    try expectViolation("a name that no file can have", .lists(name: Array(name.utf8))) {
      _ = try $0.names(below: "a/")
    }
  }

  @Test(arguments: [".", "..", ".hidden"]) func namesThatAreNoObjectsAreNotListed(_ name: String) throws {
    try fill()
    #expect(try store(.lists(name: Array(name.utf8))).names(below: "a/") == [])
  }

  @Test func aListingWithoutEndIsRefused() throws {
    try fill()
    let error = #expect(throws: SFTPError.self) { try store(.endless).names(below: "a/") }
    #expect(error?.message.contains("a listing of more than") == true)
  }

  /// Whatever a server answers: an error for people, or a result, soon.
  @Test(arguments: Trials.first(3, of: (UInt64(1)...12).shuffled())) func randomAnswersDoNoHarm(seed: UInt64) throws {
    let store = store(.random(seed: seed))
    let calls: [(String, () throws -> Void)] = [
      ("list", { _ = try store.list("", .everything, after: nil, max: 10) }),
      ("find", { _ = try store.find(["a/b", "c"]) }),
      ("read", { _ = try read(store) }),
      ("put", { try store.createBriefly("a/c", [1, 2, 3]) }),
      ("remove", { try store.remove("a/b") }),
      ("removeAll", { try store.removeAll(below: "a/") }),
      ("probe", { _ = try store.probe(.system) }),
    ]
    for (name, call) in calls {
      do {
        try call()
      } catch {
        #expect(error is any OperatorError, "seed \(seed), \(name): \(error)")
      }
    }
    #expect(TestFiles.names(in: directory.path) == [])
  }
}
