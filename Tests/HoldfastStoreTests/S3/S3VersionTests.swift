import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Versions of what was removed or written over are read, and nothing is written meanwhile.
@Suite(.timeLimit(.minutes(30)), .requires(.seaweedFS)) struct S3VersionTests {
  private func write(_ text: String, _ key: String, _ bucket: LockedBucket) throws {
    _ = try bucket.send(S3Request("PUT", "shop/" + key), text)
  }

  private func remove(_ key: String, _ bucket: LockedBucket) throws {
    _ = try bucket.send(S3Request("DELETE", "shop/" + key))
  }

  private func text(_ key: String, _ store: any Store) throws -> String {
    let object = try store.open(key)
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func theFirstVersionOfEachObjectIsListedAndRead() throws {
    let bucket = try LockedBucket()
    for key in ["a/1", "a/2", "a/b/3", "a-4"] { try write("first of \(key)", key, bucket) }
    try write("junk", "a/2", bucket)
    try remove("a/2", bucket)
    try remove("a/b/3", bucket)
    let store = bucket.store { $0.versions = .first }
    #expect(try store.names(below: "") == ["a-4", "a/"])
    #expect(try store.names(below: "a/") == ["1", "2", "b/"])
    let page = try store.list("a/", .everything, after: nil, max: 10)
    #expect(page.entries.map(\.name) == ["1", "2", "b/3"])
    #expect(page.entries.map(\.kind.length) == [12, 12, 14])
    for key in ["a/1", "a/2", "a/b/3"] { #expect(try text(key, store) == "first of \(key)") }
    #expect(throws: StoreError.notFound(key: "a", location: store.location)) { try store.open("a") }
    #expect(throws: StoreError.otherLength(key: "a/2", location: store.location, found: 12, expected: 4)) {
      try store.open("a/2", length: 4)
    }
  }

  /// A key that was rightly removed and made again has another first version: there a time finds the right one.
  @Test func theBucketIsReadAsItWasAtATime() throws {
    let bucket = try LockedBucket()
    try write("old", "again", bucket)
    try write("gone", "removed", bucket)
    try remove("again", bucket)
    try remove("removed", bucket)
    try write("new", "again", bucket)
    let second = Clock.system.now().seconds
    while Clock.system.now().seconds <= second + 1 { Pause.time(.milliseconds(50)) }
    try write("junk", "again", bucket)
    try write("junk", "later", bucket)
    let store = bucket.store { $0.versions = .asOf(Timestamp(seconds: second, nanoseconds: 999_999_999)) }
    #expect(try text("again", store) == "new")
    #expect(try store.names(below: "") == ["again"])
    let earlier = bucket.store { $0.versions = .asOf(Timestamp(seconds: second - 3600, nanoseconds: 0)) }
    #expect(try earlier.names(below: "") == [])
  }

  @Test func nothingIsWrittenMeanwhile() throws {
    let bucket = try LockedBucket()
    try write("1", "a", bucket)
    let store = bucket.store { $0.versions = .first }
    let before = try bucket.versions()
    let calls: [() throws -> Void] = [
      { _ = try store.create("b") }, { try store.createBriefly("b", [1]) }, { try store.remove("a") },
      { try store.removeAll(below: "a/") }, { try store.removeBriefly(["a", "b"]) },
      { try store.removeUnfinished([]) },
    ]
    for call in calls {
      let error = #expect(throws: S3Error.self) { try call() }
      #expect(
        error?.description == """
          nothing is written in \(store.location), because earlier versions of its objects are read
          HINT: Without HOLDFAST_VERSIONS, or `versions` in the configuration, it is written again; restore what you need first.
          """)
    }
    #expect(try bucket.versions() == before)
  }

  @Test func whetherSomethingIsLeftOfAnObjectIsToldOf() throws {
    let bucket = try LockedBucket()
    let store = bucket.store()
    for key in ["kept", "removed", "replaced"] { try write("1", key, bucket) }
    try remove("removed", bucket)
    try write("2", "replaced", bucket)
    let found = try ["kept", "removed", "replaced", "never", "rep"].map { try store.hasEarlierVersion(of: $0) }
    #expect(found == [false, true, true, false, false])
    #expect(try !SeaweedFS.shared.store().hasEarlierVersion(of: "anything"))
  }

  @Test func aChoiceIsFirstOrATime() {
    #expect(VersionChoice("first") == .first)
    #expect(VersionChoice("2026-11-29T03:00:00Z") == .asOf(Timestamp(seconds: 1_795_921_200, nanoseconds: 0)))
    for text in ["", "last", "current", "yesterday"] { #expect(VersionChoice(text) == nil, "\(text)") }
  }

  // MARK: Trying a lock

  @Test func aLockIsTried() throws {
    let bucket = try LockedBucket()
    let lock = ObjectLock(.compliance, days: 30)
    let probe = try bucket.store { $0.lock = lock }.probe(.system)
    #expect(probe.capabilities.objectLock == lock)
    #expect(probe.weaknesses == [])
  }

  /// The credentials of SeaweedFS's administrator may do everything.
  @Test func credentialsThatEndALockAreToldOf() throws {
    let bucket = try LockedBucket()
    let store = bucket.store { $0.lock = ObjectLock(.governance, days: 30) }
    let probe = try store.probe(.system)
    #expect(probe.capabilities.objectLock == nil)
    #expect(
      probe.weaknesses == [
        "\(store.location) lets these credentials delete what is locked (s3:BypassGovernanceRetention): whoever has them can delete every snapshot"
      ])
  }
}
