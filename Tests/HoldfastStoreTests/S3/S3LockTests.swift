import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a bucket with object lock keeps, whoever has the credentials.
@Suite(.timeLimit(.minutes(30))) struct S3LockTests {
  private let clock = TestClock("2026-11-29T10:00:00Z")

  private func write(_ text: String, _ key: String, _ store: any Store) throws {
    let writer = try store.create(key)
    try Array(text.utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func text(_ key: String, _ store: any Store, length: UInt64? = nil) throws -> String {
    let object = try store.open(key, length: length)
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func time(_ text: String) throws -> Timestamp { try #require(TimeText.parse(text)) }

  // MARK: Terms

  /// All of one day have the same term: a chain is not extended with every snapshot.
  @Test func aTermEndsWithADay() throws {
    let lock = ObjectLock(.compliance, days: 30)
    for (now, end) in [
      ("2026-11-29T00:00:00Z", "2026-12-30T00:00:00Z"), ("2026-11-29T23:59:59Z", "2026-12-30T00:00:00Z"),
      ("2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"),
    ] { #expect(lock.end(from: try time(now)) == (try time(end)), "\(now)") }
    #expect(lock.end(from: Timestamp(seconds: .max, nanoseconds: 0)).seconds > 0)
  }

  @Test func aLockIsWrittenAsModeAndDays() {
    #expect(ObjectLock("compliance:30") == ObjectLock(.compliance, days: 30))
    #expect(ObjectLock("governance:1") == ObjectLock(.governance, days: 1))
    for text in ["", "compliance", "compliance:", "compliance:0", "compliance:36501", "legal:3", "compliance:3:3"] {
      #expect(ObjectLock(text) == nil, "\(text)")
    }
  }

  // MARK: Writing

  @Test func whatLastsIsLockedWithTheRequestThatMakesIt() throws {
    let server = PretendS3()
    let store = server.store(clock: clock.clock) {
      $0.lock = ObjectLock(.governance, days: 7)
      $0.isLocked = { !$0.hasPrefix("leases/") }
    }
    try write("1", "manifest", store)
    try store.createBriefly("leases/shop/1", [1])
    try write(String(repeating: "5", count: 13 << 20), "archive", store)
    let locking = server.requests.filter { $0.headers["x-amz-object-lock-mode"] != nil }
    #expect(locking.map(\.target) == ["/orders/shop/manifest", "/orders/shop/archive?uploads="])
    for request in locking {
      #expect(request.headers["x-amz-object-lock-mode"] == "GOVERNANCE")
      #expect(request.headers["x-amz-object-lock-retain-until-date"] == "2026-12-07T00:00:00Z")
    }
  }

  @Test(.requires(.seaweedFS)) func nobodyDeletesWhatIsLocked() throws {
    let bucket = try LockedBucket()
    let store = bucket.store { $0.lock = ObjectLock(.compliance, days: 1) }
    try write("kept", "manifest", store)
    try write("brief", "leases/1", store)
    #expect(try bucket.destroyEverything().map(\.key) == ["shop/manifest"])
    #expect(throws: StoreError.notFound(key: "manifest", location: store.location)) { try store.open("manifest") }
    #expect(try text("manifest", bucket.store { $0.versions = .first }) == "kept")
  }

  @Test(.requires(.seaweedFS)) func aBucketWithoutObjectLockIsToldOf() throws {
    let bucket = SeaweedFS.shared.store { settings in
      settings.lock = ObjectLock(.compliance, days: 1)
      settings.isLocked = { _ in true }
    }
    let store = RetryingStore(bucket, Retrier(host: TestHost.make()))
    for call in [
      { try write("1", "manifest", store) }, { try write(String(repeating: "1", count: 13 << 20), "archive", store) },
      { _ = try store.probe(.system) },
    ] as [() throws -> Void] {
      let error = #expect(throws: S3Error.self) { try call() }
      #expect(
        error?.description == """
          the bucket of \(store.location) has no object lock, so nothing there can be locked
          HINT: Make a bucket with object lock: docs/operations.md, "A bucket that nobody can empty"; or leave out `lock`.
          """)
      #expect(error?.exitStatus == .usage)
    }
  }

  // MARK: Extending

  @Test(.requires(.seaweedFS)) func termsAreExtendedAndNeverShortened() throws {
    let bucket = try LockedBucket()
    let store = bucket.store { $0.lock = ObjectLock(.compliance, days: 3) }
    for number in 1...3 { try write("\(number)", "sources/shop/\(number)", store) }
    try write("0", "holdfast.json", store)
    let now = Clock.system.now()
    let (later, longer) = (
      ObjectLock(.compliance, days: 5).end(from: now), ObjectLock(.compliance, days: 9).end(from: now)
    )
    #expect(try store.extendLocks(of: ["sources/shop/1"], until: longer) == [])
    let keys = ["sources/shop/1", "sources/shop/2", "holdfast.json"]
    // Twice: a request whose answer was lost is sent again.
    for _ in 1...2 { #expect(try store.extendLocks(of: keys, until: later) == []) }
    let ends = try (keys + ["sources/shop/3"]).map { try bucket.lock(of: "shop/" + $0)?.end }
    #expect(ends == [longer, later, later, ObjectLock(.compliance, days: 3).end(from: now)])
    #expect(throws: StoreError.notFound(key: "sources/shop/4", location: store.location)) {
      try store.extendLocks(of: ["sources/shop/4"], until: later)
    }
  }

  /// The setting names another mode than before. To change that of an object takes the right to end its lock.
  @Test(
    .requires(.seaweedFS),
    arguments: [(.compliance, .governance), (.governance, .compliance)] as [(ObjectLock.Mode, ObjectLock.Mode)])
  func whatIsLockedKeepsItsMode(before: ObjectLock.Mode, now: ObjectLock.Mode) throws {
    let bucket = try LockedBucket()
    try write("1", "sources/shop/1", bucket.store { $0.lock = ObjectLock(before, days: 1) })
    let store = bucket.store { $0.lock = ObjectLock(now, days: 3) }
    try write("2", "sources/shop/2", store)
    let later = ObjectLock(now, days: 5).end(from: Clock.system.now())
    // What is locked for longer is left as it is.
    for end in [later, ObjectLock(now, days: 4).end(from: Clock.system.now())] {
      #expect(try store.extendLocks(of: ["sources/shop/1", "sources/shop/2"], until: end) == [])
    }
    let locks = try ["1", "2"].map { try #require(try bucket.lock(of: "shop/sources/shop/\($0)")) }
    #expect(locks.map(\.mode) == [before, now].map { $0.rawValue.uppercased() })
    #expect(locks.map(\.end) == [later, later])
  }

  /// Somebody who may only write can hide an object behind another one. The term of the right one is extended.
  @Test(.requires(.seaweedFS)) func theFirstVersionIsExtendedAndTheOthersAreToldOf() throws {
    let bucket = try LockedBucket()
    let store = bucket.store { $0.lock = ObjectLock(.compliance, days: 1) }
    for name in ["a", "b", "c"] { try write(name, "sources/shop/\(name)", store) }
    _ = try bucket.send(S3Request("PUT", "shop/sources/shop/b"), "x")
    _ = try bucket.send(S3Request("DELETE", "shop/sources/shop/c"))
    let later = ObjectLock(.compliance, days: 3).end(from: Clock.system.now())
    let keys = ["a", "b", "c"].map { "sources/shop/\($0)" }
    #expect(try store.extendLocks(of: keys, until: later) == ["sources/shop/b", "sources/shop/c"])
    for version in try bucket.versions() where !version.isMarker {
      let answer = try bucket.send(
        S3Request("GET", version.key, query: [("retention", ""), ("versionId", version.id)]))
      let end = XMLElement.parse(answer.body)?["RetainUntilDate"]?.text
      #expect(end.flatMap { TimeText.parse($0) } == later, "\(version)")
    }
  }

  @Test func whoMayNotLockIsTold() throws {
    let server = PretendS3()
    let store = server.store(clock: clock.clock) { $0.lock = ObjectLock(.compliance, days: 1) }
    let versions = """
      <ListVersionsResult><Version><Key>shop/holdfast.json</Key><VersionId>1</VersionId><Size>1</Size>\
      <IsLatest>true</IsLatest></Version></ListVersionsResult>
      """
    server.fail(
      .init("GET", "versions", .answer(200, body: versions)), .init("PUT", "retention", .refuse(403, "AccessDenied")))
    let error = #expect(throws: S3Error.self) {
      try store.extendLocks(of: ["holdfast.json"], until: clock.clock.now())
    }
    #expect(error == .notPermitted(location: store.location, action: "s3:PutObjectRetention"))
  }

  // MARK: Removing

  /// A server that refuses to remove what is locked says only that it refuses.
  @Test func aRefusalNamesTheEndOfTheLock() {
    let server = PretendS3()
    let store = server.store(clock: clock.clock) { $0.isLocked = { $0 != "lease" } }
    let lock = [("x-amz-object-lock-retain-until-date", "2026-12-30T00:00:00Z")]
    for remove in [{ try store.remove("a") }, { try store.removeBriefly(["a", "b"]) }] as [() throws -> Void] {
      server.fail(
        .init("DELETE", "", .refuse(403, "AccessDenied")), .init("POST", "", .refuse(403, "AccessDenied")),
        .init("HEAD", "/a", .answer(200, headers: lock)))
      let error = #expect(throws: StoreError.self) { try remove() }
      #expect(
        error?.description == """
          a may not be removed from \(store.location) before 2026-12-30T00:00:00.000Z: it is locked
          HINT: Run the same command again after that.
          """)
    }
    server.fail(.init("DELETE", "", .refuse(403, "AccessDenied")))
    let before = server.requests.count
    #expect(throws: StoreError.removalRefused(key: "lease", location: store.location, .s3)) {
      try store.remove("lease")
    }
    #expect(server.requests.count == before + 1, "nothing is asked of what is never locked")
  }
}
