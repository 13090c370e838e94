import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Only a file that agrees in everything, and could not have been written unseen, is taken as unchanged
/// without being read.
@Suite struct ChangeDetectionTests {
  private let directory = TemporaryDirectory()

  /// A file last written long ago, as far as mtime tells; `status.changed` is now.
  private func makeStatus(modifiedNanoseconds: Int = 5) throws -> FileStatus {
    TestFiles.write("four", to: directory.appending("file"))
    TestFiles.setModified(directory.appending("file"), seconds: 1_000_000_000, nanoseconds: modifiedNanoseconds)
    return try FileSystem().status(of: directory.appending("file"))
  }

  private func entry(_ status: FileStatus, consistency: ConsistencyClass = .stable) throws -> Entry {
    let digest = try #require(Digest(bytes: [UInt8](repeating: 0, count: 32)))
    return Entry(
      path: Path("file"), attributes: status.attributes(extended: []),
      content: .file(FileContent(size: status.size, pageSize: 4096, consistency: consistency, digest: digest)),
      identity: status.identity)
  }

  /// A parent whose scan began long after everything was written.
  private func detection(after status: FileStatus, isParanoid: Bool = false) -> ChangeDetection {
    let later = Timestamp(seconds: status.changed.seconds + 3600, nanoseconds: 0)
    return ChangeDetection(parentStarted: later, isParanoid: isParanoid)
  }

  @Test func whatAgreesInEverythingIsUnchanged() throws {
    let status = try makeStatus()
    #expect(try detection(after: status).isUnchanged(status, since: entry(status)))
  }

  static let differences: [(name: String, change: @Sendable (inout Entry) -> Void)] = [
    ("mtime by a nanosecond", { $0.attributes.modified.nanoseconds += 1 }),
    ("mtime by a second", { $0.attributes.modified.seconds -= 1 }),
    ("ctime by a nanosecond", { $0.identity.changed.nanoseconds ^= 1 }),
    ("ctime by a second", { $0.identity.changed.seconds -= 1 }),
    ("inode", { $0.identity.inode += 1 }),
    ("mode", { $0.attributes.mode ^= 0o100 }),
    ("user", { $0.attributes.userID += 1 }),
    ("group", { $0.attributes.groupID += 1 }),
    ("size", { $0.content = $0.file.map { .file($0.with(size: $0.size + 1)) } ?? $0.content }),
    ("type", { $0.content = .fifo }),
    ("type, a link", { $0.content = .symbolicLink(target: [1]) }),
    ("consistency: torn", { $0.content = $0.file.map { .file($0.with(consistency: .torn)) } ?? $0.content }),
    (
      "consistency: unreadable", { $0.content = $0.file.map { .file($0.with(consistency: .unreadable)) } ?? $0.content }
    ),
  ]

  @Test(arguments: differences.indices)
  func eachFieldThatDiffersIsAChange(_ index: Int) throws {
    let difference = Self.differences[index]
    let status = try makeStatus()
    var other = try entry(status)
    difference.change(&other)
    #expect(!detection(after: status).isUnchanged(status, since: other), "\(difference.name)")
  }

  @Test func anotherNumberOfTheDeviceIsNoChange() throws {
    // Device numbers change when a file system is mounted anew.
    let status = try makeStatus()
    var other = try entry(status)
    other.identity.device += 1
    #expect(detection(after: status).isUnchanged(status, since: other))
  }

  @Test func aFileThatWasReadTwiceUntilItHeldStillMayBeUnchanged() throws {
    let status = try makeStatus()
    #expect(try detection(after: status).isUnchanged(status, since: entry(status, consistency: .retried)))
  }

  @Test func aParanoidRunBelievesNothing() throws {
    let status = try makeStatus()
    #expect(try !detection(after: status, isParanoid: true).isUnchanged(status, since: entry(status)))
  }

  @Test func withoutAParentNothingIsUnchanged() throws {
    let status = try makeStatus()
    #expect(try !ChangeDetection(parentStarted: nil, isParanoid: false).isUnchanged(status, since: entry(status)))
  }

  /// Milliseconds from the last write (ctime) to the parent's scan: within 50 ms a later write may carry
  /// the same stamp.
  @Test(arguments: [(-1000, false), (0, false), (49, false), (51, true), (1000, true)])
  func aStampWithinTheRacyWindowIsNotTrusted(_ milliseconds: Int64, _ isUnchanged: Bool) throws {
    var status = try makeStatus()
    // A stamp that happens to fall on a whole second would be a coarse one.
    while status.changed.nanoseconds == 0 { status = try makeStatus() }
    let parent = later(status.changed, milliseconds)
    let detection = ChangeDetection(parentStarted: parent, isParanoid: false)
    #expect(try detection.isUnchanged(status, since: entry(status)) == isUnchanged)
  }

  /// A stamp without nanoseconds comes from a file system that counts in seconds: two seconds are racy.
  @Test(arguments: [(0, false), (1999, false), (2001, true)])
  func aCoarseStampHasACoarseWindow(_ milliseconds: Int64, _ isUnchanged: Bool) throws {
    // The mtime lies in the future, so that it and not the ctime is the one that counts.
    TestFiles.write("four", to: directory.appending("file"))
    TestFiles.setModified(directory.appending("file"), seconds: 4_000_000_000, nanoseconds: 0)
    let status = try FileSystem().status(of: directory.appending("file"))
    let detection = ChangeDetection(parentStarted: later(status.modified, milliseconds), isParanoid: false)
    #expect(try detection.isUnchanged(status, since: entry(status)) == isUnchanged)
  }

  private func later(_ time: Timestamp, _ milliseconds: Int64) -> Timestamp {
    let total = Int64(time.nanoseconds) + milliseconds * 1_000_000
    let (seconds, rest) = (total / 1_000_000_000, total % 1_000_000_000)
    return rest < 0
      ? Timestamp(seconds: time.seconds + seconds - 1, nanoseconds: UInt32(rest + 1_000_000_000))
      : Timestamp(seconds: time.seconds + seconds, nanoseconds: UInt32(rest))
  }
}

extension FileContent {
  fileprivate func with(size: UInt64) -> FileContent {
    FileContent(size: size, pageSize: pageSize, consistency: consistency, digest: digest)
  }

  fileprivate func with(consistency: ConsistencyClass) -> FileContent {
    FileContent(size: size, pageSize: pageSize, consistency: consistency, digest: digest)
  }
}
