import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Answers that are lost, wrong or hostile: what was stored counts once, and what is not what was asked for is refused.
@Suite(.timeLimit(.minutes(30))) struct S3FaultTests {
  private let server = PretendS3()
  private static let parts = [UInt8](repeating: 5, count: 13 << 20)

  private func write(_ bytes: [UInt8], _ key: String, _ store: any Store) throws {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func read(_ key: String, length: UInt64? = nil) throws -> [UInt8] {
    let object = try server.store().open(key, length: length)
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return bytes
  }

  private func retrying() -> RetryingStore { RetryingStore(server.store(), TimelessRetry().retrier()) }

  private func unavailable(_ reason: String) -> StoreError {
    .unavailable(location: server.location, reason: reason)
  }

  // MARK: Looking

  /// Every listing is read from its beginning. Only whoever may not read an object looks for it there.
  @Test func oneObjectIsLookedForWithOneRequest() throws {
    let store = server.store()
    for key in ["a/b", "a/c"] { try write([1, 2], key, store) }
    let before = server.requests.count
    #expect(try store.find(["a/b"])[0]?.length == 2)
    #expect(try store.find(["a/d"]) == [nil])
    #expect(server.requests.dropFirst(before).map(\.method) == ["HEAD", "HEAD"])
    #expect(try store.find(["a/b", "a/c"]).map { $0?.length } == [2, 2])
    #expect(server.requests.dropFirst(before + 2).allSatisfy { $0.method == "GET" }, "several with a listing")
    server.fail(.init("HEAD", "/a/b", .answer(403)))
    #expect(try store.find(["a/b"])[0]?.length == 2)
  }

  // MARK: Creating

  @Test func anObjectIsNotReplaced() throws {
    try write([1, 2], "key", server.store())
    #expect(throws: StoreError.alreadyExists(key: "key", location: server.location)) {
      try write([1, 3], "key", server.store())
    }
    #expect(throws: StoreError.alreadyExists(key: "key", location: server.location)) {
      try write([1, 2, 3], "key", server.store())
    }
    #expect(try read("key") == [1, 2])
    try write([1, 2], "key", server.store())
  }

  /// The object is there, and the connection ends. Over a new connection the pool does not ask again by itself, over
  /// one that was kept it does.
  @Test(arguments: [false, true]) func aCommitWhoseAnswerIsLostSucceedsWhenItIsRepeated(isKept: Bool) throws {
    let store = server.store()
    if isKept { _ = try store.names(below: "") }
    server.fail(.init("PUT", "key", .loseAnswer))
    let writer = try store.create("key")
    try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try writer.append($0) }
    if !isKept { #expect(throws: StoreError.self) { try writer.commit() } }
    try writer.commit()
    #expect(server.requests.filter { $0.method == "PUT" }.count == 2)
    #expect(try read("key") == [1, 2, 3])
  }

  /// The same for an object of parts. Its connection was kept from the parts, so the pool itself repeats the request.
  @Test(arguments: [1, 2]) func aCompletionWhoseAnswerIsLostSucceedsWhenItIsRepeated(times: Int) throws {
    server.fail(.init("POST", "uploadId=", .loseAnswer, times: times))
    try write(Self.parts, "key", retrying())
    #expect(try read("key") == Self.parts)
    #expect(server.requests.filter { $0.method == "POST" && $0.target.contains("uploadId=") }.count >= times)
  }

  /// The same for an object that is exactly one part: it is sent with the commit, and repeated with it.
  @Test(arguments: [1, 2]) func anObjectOfOneFullPartIsCommittedOnceWhenAnswersAreLost(times: Int) throws {
    let part = Array(Self.parts[..<(6 << 20)])
    for lost in [("PUT", "partNumber="), ("POST", "uploadId=")] {
      let key = "key-\(lost.0)"
      server.fail(.init(lost.0, lost.1, .loseAnswer, times: times))
      try write(part, key, retrying())
      #expect(try read(key) == part)
    }
  }

  @Test func aCompletionThatFindsAnotherObjectIsRefused() throws {
    let writer = try server.store().create("key")
    try Self.parts.withUnsafeBytes { try writer.append($0) }
    try write([1], "key", server.store())
    #expect(throws: StoreError.alreadyExists(key: "key", location: server.location)) { try writer.commit() }
    #expect(try read("key") == [1])
  }

  @Test(arguments: ["<Error><Code>InternalError</Code></Error>", "", " ", "<html>"])
  func aCompletionThatFailsAfterItHasBegunToSucceedIsRepeated(_ body: String) throws {
    server.fail(.init("POST", "uploadId=", .answer(200, body: body)))
    let writer = try server.store().create("key")
    try Self.parts.withUnsafeBytes { try writer.append($0) }
    #expect(throws: unavailable("it did not join the parts of key")) { try writer.commit() }
    try writer.commit()
    #expect(try read("key") == Self.parts)
  }

  @Test func aPartOrAnUploadWithoutANameIsNone() {
    server.fail(.init("PUT", "partNumber=", .answer(200)))
    #expect(throws: unavailable("it does not name a part that it has taken")) {
      try write(Self.parts, "key", server.store())
    }
    server.fail(.init("POST", "uploads=", .answer(200, body: "<R><UploadId></UploadId></R>")))
    #expect(throws: unavailable("it does not name a multipart upload")) {
      try write(Self.parts, "key", server.store())
    }
  }

  @Test(arguments: ["POST", "PUT", "DELETE", "GET"]) func lostAnswersOfEveryKindAreMadeGood(_ method: String) throws {
    let store = retrying()
    server.fail(.init(method, "", .loseAnswer, times: 5))
    try write(Self.parts, "large", store)
    try write([1], "small", store)
    #expect(try store.names(below: "") == ["large", "small"])
    try store.remove("small")
    try store.removeBriefly(["a", "b"])
    try store.removeAll(below: "")
    #expect(try store.names(below: "") == [])
  }

  // MARK: Reading

  /// What the server gives instead of bytes 10 to 19 of 100.
  @Test(arguments: [
    (200, "", 100, "the server sent more bytes than were asked for"),
    (200, "", 10, "its answer is not the range that was asked for"),
    (200, "bytes 0-9/100", 10, "its answer is not the range that was asked for"),
    (206, "", 10, "its answer is not the range that was asked for"),
    (206, "bytes 0-9/100", 10, "its answer is not the range that was asked for"),
    (206, "bytes 10-19/*", 10, "its answer is not the range that was asked for"),
    (206, "bytes 10-19/100", 9, "its answer is not the range that was asked for"),
    (206, "bytes 10-19/100", 11, "the server sent more bytes than were asked for"),
    (206, "bytes 10-19/99", 10, "key in PLACE has 99 bytes instead of 100"),
    (416, "bytes */5", 0, "key in PLACE has 5 bytes instead of 100"),
    (416, "", 0, "key in PLACE has 5 bytes instead of 100"),
  ])
  func whatIsNotTheRangeIsRefused(_ status: Int, _ range: String, _ count: Int, _ finding: String) throws {
    try write([1, 2, 3, 4, 5], "key", server.store())
    server.fail(
      .init(
        "GET", "key",
        .answer(
          status, headers: range.isEmpty ? [] : [("Content-Range", range)], body: String(repeating: "x", count: count)))
    )
    let object = try server.store().open("key", length: 100)
    var bytes = [UInt8](repeating: 0, count: 10)
    let error = #expect(throws: (any Error).self) {
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 10) }
    }
    let message = "\(error.map { "\($0)" } ?? "")".replacing(server.location, with: "PLACE")
    #expect(message.contains(finding), "\(message)")
  }

  /// rclone answers with a range, and says that it is the object.
  @Test func aRangeWithTheStatusOfAWholeObjectIsARange() throws {
    let range = [("Content-Range", "bytes 0-9/100")].map { (name: $0.0, value: $0.1) }
    server.fail(.init("GET", "key", .answer(200, headers: range, body: "0123456789")))
    #expect(throws: unavailable("its answer is not the range that was asked for")) { try server.store().open("key") }
    server.fail(.init("GET", "key", .answer(200, headers: range, body: "0123456789")))
    let object = try server.store().open("key", length: 100)
    var bytes = [UInt8](repeating: 0, count: 10)
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    #expect(bytes == Array("0123456789".utf8))
  }

  /// A server that knows no ranges gives the whole object.
  @Test func aWholeObjectInPlaceOfItsFirstBytesIsTaken() throws {
    server.fail(.init("GET", "key", .answer(200, body: "abc"), times: 2))
    #expect(try read("key") == Array("abc".utf8))
    #expect(try read("key", length: 3) == Array("abc".utf8))
  }

  /// Ceph and rclone do not say how long an object is that has not the range. The first bytes are missing only where
  /// there are none.
  @Test func anObjectWithoutTheRangeIsAskedForItsLength() throws {
    try write([], "key", server.store())
    server.fail(.init("GET", "key", .refuse(416, "InvalidRange"), times: 2))
    #expect(try read("key") == [])
    let object = try server.store().open("key", length: 100)
    var bytes = [UInt8](repeating: 0, count: 10)
    #expect(throws: StoreError.otherLength(key: "key", location: server.location, found: 0, expected: 100)) {
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 10) }
    }
  }

  /// Of a version that has not the range, the length of that version is asked for, not of what lies over it.
  @Test func aVersionWithoutTheRangeIsAskedForItsLength() throws {
    try write([1, 2, 3, 4, 5], "key", server.store())
    let versions = """
      <ListVersionsResult><Version><Key>shop/key</Key><VersionId>v1</VersionId><Size>100</Size></Version>\
      </ListVersionsResult>
      """
    server.fail(
      .init("GET", "versions", .answer(200, body: versions)), .init("GET", "key", .refuse(416, "InvalidRange")))
    let object = try server.store { $0.versions = .first }.open("key")
    var bytes = [UInt8](repeating: 0, count: 10)
    #expect(throws: StoreError.otherLength(key: "key", location: server.location, found: 5, expected: 100)) {
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 10) }
    }
    let reads = server.requests.filter { $0.method == "GET" && $0.target.contains("/key") }
    #expect(reads.map(\.target) == Array(repeating: "/orders/shop/key?versionId=v1", count: 2))
  }

  @Test func anObjectThatShrinksWhileItIsOpenedIsRefused() {
    server.fail(.init("GET", "key", .answer(206, headers: [("Content-Range", "bytes 0-99/100")], body: "abc")))
    #expect(throws: unavailable("its answer is not the range that was asked for")) { try server.store().open("key") }
  }

  // MARK: Listing

  private func list(_ body: String) throws -> [String] {
    server.fail(.init("GET", "list-type", .answer(200, body: body), times: 3))
    return try server.store().names(below: "a/")
  }

  private static func entry(_ key: String, size: String = "1") -> String {
    "<Contents><Key>\(key)</Key><Size>\(size)</Size></Contents>"
  }

  @Test func pagesAreJoined() throws {
    for name in ["a/3", "a/1", "a/2", "b"] { try write([1], name, server.store()) }
    #expect(try server.store().names(below: "a/") == ["1", "2", "3"])
  }

  @Test(arguments: [
    "", "no XML", "<html></html>", "<Error/>", "<ListAllMyBucketsResult/>",
    "<ListBucketResult>\(entry("shop/b/x"))</ListBucketResult>",
    "<ListBucketResult>\(entry("../x"))</ListBucketResult>",
    "<ListBucketResult>\(entry("shop/a/x", size: "-1"))</ListBucketResult>",
    "<ListBucketResult>\(entry("shop/a/x", size: "99999999999999999999"))</ListBucketResult>",
    "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
    "<ListBucketResult><CommonPrefixes><Prefix>etc/</Prefix></CommonPrefixes></ListBucketResult>",
    "<ListBucketResult><EncodingType>url</EncodingType>\(entry("shop/a/%zz"))</ListBucketResult>",
    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
  ])
  func whatIsNoListingIsRefused(_ body: String) {
    #expect(throws: unavailable("its answer is no listing")) { try list(body) }
  }

  /// A server that always goes on does not hold a run for ever: neither with two tokens in turn, nor with ever new
  /// tokens for the same objects.
  @Test(arguments: [
    "token = ['even', 'odd'][number % 2]",
    "token, contents = str(number), '<Contents><Key>shop/a/1</Key><Size>1</Size></Contents>'",
  ])
  func aListingThatLeadsNowhereEnds(_ page: String) throws {
    let server = ScriptedServer(
      """
      count = [0]


      def answer(peer, request):
          peer.body()
          count[0] += 1
          number, contents = count[0], ""
          \(page)
          more = "<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + "</NextContinuationToken>"
          peer.reply(200, {}, "<ListBucketResult>" + contents + more + "</ListBucketResult>")
      """)
    let settings = S3Settings { _ in S3Credentials(accessKeyID: "id", secretKey: "secret") }
    let store = S3Store(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), bucket: "orders", prefix: "shop/",
      location: "PLACE", settings, host: TestHost.make())
    #expect(
      throws: StoreError.unavailable(location: "PLACE", reason: "it lists the same objects again and again")
    ) { try store.names(below: "a/") }
    #expect(server.requests.count <= 3)
  }

  @Test func encodedKeysAreDecoded() throws {
    let body = "<ListBucketResult><EncodingType>url</EncodingType>\(Self.entry("shop%2Fa/b+c%2B"))</ListBucketResult>"
    #expect(try list(body) == ["b c+"])
    #expect(try list("<ListBucketResult>\(Self.entry("shop/a/b+c%2B"))</ListBucketResult>") == ["b+c%2B"])
  }

  // MARK: Removing

  @Test func aRemovalThatIsNotConfirmedIsNone() throws {
    for body in ["", "<Error><Code>InternalError</Code></Error>", "<html/>"] {
      server.fail(.init("POST", "delete", .answer(200, body: body)))
      #expect(throws: unavailable("it does not say what it has removed")) {
        try server.store().removeBriefly(["a", "b"])
      }
    }
    let body = "<DeleteResult><Error><Key>shop/a</Key><Code>InternalError</Code></Error></DeleteResult>"
    server.fail(.init("POST", "delete", .answer(200, body: body)))
    #expect(throws: unavailable("it did not remove all objects")) { try server.store().removeBriefly(["a", "b"]) }
  }

  /// Not every server removes several objects at once, and Ceph does so only for who may remove everything.
  @Test(arguments: [(501, "NotImplemented"), (403, "AccessDenied")])
  func objectsAreRemovedOneByOneWhereTheServerDoesNotRemoveSeveral(_ status: Int, _ code: String) throws {
    for name in ["a", "b", "c"] { try write([1], name, server.store()) }
    server.fail(.init("POST", "delete", .refuse(status, code)))
    try server.store().removeBriefly(["a", "b", "missing"])
    #expect(try server.store().names(below: "") == ["c"])
  }

  /// A folder is no object: SeaweedFS shows those that are empty, and rclone fails to remove those that are gone.
  @Test func aFolderThatIsNotRemovedIsNoFailure() throws {
    for name in ["a/1", "a/2"] { try write([1], name, server.store()) }
    let body = "<DeleteResult><Error><Key>shop/a/</Key><Code>InternalError</Code></Error></DeleteResult>"
    server.fail(.init("POST", "delete", .answer(200, body: body)))
    try server.store().removeAll(below: "a/")
    try server.store().removeAll(below: "a/")
    // Only the folder is asked for now.
    server.fail(.init("POST", "delete", .refuse(403, "AccessDenied")), .init("DELETE", "a/", .answer(500)))
    try server.store().removeAll(below: "a/")
  }

  @Test(arguments: [(403, "AccessDenied"), (404, "NoSuchUpload"), (405, "MethodNotAllowed"), (501, "NotImplemented")])
  func whatAServerDoesNotListOfUploadsStays(_ status: Int, _ code: String) throws {
    try write([1], "a/1", server.store())
    server.fail(.init("GET", "uploads", .refuse(status, code)))
    try server.store().removeAll(below: "a/")
    #expect(try server.store().names(below: "") == [])
  }

  /// Again and again the same page of uploads.
  @Test func anEndlessListOfUploadsEnds() throws {
    let body = """
      <ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>
      <NextUploadIdMarker>1</NextUploadIdMarker></ListMultipartUploadsResult>
      """
    server.fail(.init("GET", "uploads", .answer(200, body: body), times: 1000))
    try server.store().removeAll(below: "a/")
    #expect(server.requests.filter { $0.target.contains("uploads") }.count == 2)
  }

  @Test func aSignalEndsARequest() {
    let cancellation = Cancellation()
    cancellation.raise()
    #expect(throws: Interrupted.self) { try server.store(cancellation).names(below: "") }
  }
}
