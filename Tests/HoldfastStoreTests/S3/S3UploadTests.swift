import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Large objects go in parts, in any order and several at once, and leave nothing behind that costs money.
@Suite(.timeLimit(.minutes(30)), .requires(.seaweedFS)) struct S3UploadTests {
  private let prefix = "\(UInt64.random(in: .min ... .max))/"
  private let store: S3Store

  init() { store = SeaweedFS.shared.store(prefix: prefix) }

  private func send(_ bytes: ArraySlice<UInt8>, _ upload: any ObjectUpload, at offset: Int) throws {
    try bytes.withUnsafeBytes { try upload.send($0, at: UInt64(offset)) }
  }

  private func read(_ key: String) throws -> [UInt8] {
    let object = try store.open(key)
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    return bytes
  }

  @Test func partsArriveInAnyOrderAndSeveralAtOnce() throws {
    var random = SeededRandom(seed: 1)
    let bytes = random.bytes(32 << 20)
    let upload = try store.upload("key")
    let size = try #require(upload.partBytes)
    let offsets = Array(stride(from: 0, to: bytes.count, by: size))
    // The last and short one first, so that the upload begins with it.
    try send(bytes[offsets[offsets.count - 1]...], upload, at: offsets[offsets.count - 1])
    let threads = offsets.dropLast().reversed().map { offset in
      WorkerThread.start {
        do {
          try send(bytes[offset..<offset + size], upload, at: offset)
        } catch {
          Issue.record(error)
        }
      }
    }
    for thread in threads { thread?.join() }
    #expect(try store.names(below: "") == [], "it is there before its commit")
    try upload.commit()
    #expect(try read("key") == bytes)
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix) == [])
  }

  @Test func aPartThatIsSentAgainReplacesItself() throws {
    var random = SeededRandom(seed: 2)
    let upload = try store.upload("key")
    let size = try #require(upload.partBytes)
    let bytes = random.bytes(size + 100)
    try send(random.bytes(size)[...], upload, at: 0)
    try send(bytes[size...], upload, at: size)
    try send(bytes[..<size], upload, at: 0)
    try upload.commit()
    #expect(try read("key") == bytes)
  }

  /// A part that has no end cannot be told from what is missing: then there is nothing.
  @Test func anUploadThatIsAbortedOrDroppedLeavesNothing() throws {
    let part = [UInt8](repeating: 3, count: try #require(try store.upload("key").partBytes))
    var upload = try store.upload("aborted")
    try send(part[...], upload, at: 0)
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix).count == 1)
    upload.abort()
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix) == [])
    #expect(throws: (any Error).self) { try upload.commit() }
    #expect(throws: (any Error).self) { try send(part[...], upload, at: 0) }
    upload = try store.upload("dropped")
    try send(part[...], upload, at: 0)
    upload = try store.upload("other")
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix) == [])
    #expect(try store.names(below: "") == [])
  }

  /// A killed run cannot abort what it had begun.
  @Test func whatAKilledRunHasLeftIsRemovedWithEverythingElse() throws {
    let part = [UInt8](repeating: 3, count: 6 << 20)
    let left = ["a/1", "a/2", "b/1"].map { key in (key, try? store.upload(key)) }
    for (_, upload) in left { try send(part[...], #require(upload), at: 0) }
    try store.removeAll(below: "a/")
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix) == [prefix + "b/1"])
  }

  @Test func anObjectOfManyPartsComesBack() throws {
    var random = SeededRandom(seed: 4)
    let bytes = random.bytes(25 << 20)
    let writer = try RetryingStore(store, Retrier(host: TestHost.make())).create("sources/shop/archive")
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...3_000_000, using: &random))
      try piece.withUnsafeBytes { try writer.append($0) }
      rest = rest.dropFirst(piece.count)
    }
    try writer.commit()
    #expect(try read("sources/shop/archive") == bytes)
    let object = try store.open("sources/shop/archive", length: UInt64(bytes.count))
    for _ in 0..<10 {
      let offset = Int.random(in: 0..<bytes.count, using: &random)
      var piece = [UInt8](repeating: 0, count: min(Int.random(in: 1...100_000, using: &random), bytes.count - offset))
      try piece.withUnsafeMutableBytes { try object.read(into: $0, at: UInt64(offset)) }
      #expect(piece.elementsEqual(bytes[offset..<offset + piece.count]))
    }
  }

  @Test func archivesHaveAStorageClassAndManifestsHaveNone() throws {
    let server = PretendS3()
    let store = server.store {
      $0.archiveStorageClass = "GLACIER_IR"
      $0.isArchive = { $0.hasSuffix("archive") }
    }
    for (key, count) in [("archive", 1), ("manifest.json", 1), ("large/archive", 13 << 20)] {
      let writer = try store.create(key)
      try [UInt8](repeating: 1, count: count).withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    let classes = server.requests.filter { $0.headers["x-amz-storage-class"] != nil }
    #expect(classes.map(\.target) == ["/orders/shop/archive", "/orders/shop/large/archive?uploads="])
    #expect(classes.allSatisfy { $0.headers["x-amz-storage-class"] == "GLACIER_IR" })
  }

  /// Servers check one or the other: SeaweedFS only MD5, Ceph both.
  @Test func everyBodyIsSentWithItsDigests() throws {
    let server = PretendS3()
    let writer = try server.store().create("key")
    try Array("hello".utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    let request = try #require(server.requests.first)
    #expect(request.headers["content-md5"] == "XUFAKrxLKna5cZ2REBfFkg==")
    #expect(
      request.headers["x-amz-content-sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    #expect(request.headers["if-none-match"] == "*")
  }

  private func put(_ count: Int, _ key: String, in store: S3Store) throws {
    let writer = try store.create(key)
    try [UInt8](repeating: 1, count: count).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private static let checksumHeaders = ["x-amz-checksum-sha256", "x-amz-checksum-algorithm"]

  /// Where the server has it, the SHA-256 of every body and part goes along, so that it refuses what has changed.
  @Test func bodiesAndPartsHaveChecksumsWhereTheServerVerifiesThem() throws {
    let server = PretendS3(verifiesChecksums: true)
    try put(5, "small", in: server.store())
    #expect(server.requests.last?.headers["x-amz-checksum-sha256"] == "N3oj9SxrNXaWI4wzGPZ3oILdNDC7ZpEEK9VQpc2ijrs=")
    try put(13 << 20, "large", in: server.store())
    let parts = server.requests.filter { $0.target.contains("partNumber") }
    #expect(parts.count == 3 && parts.allSatisfy { $0.headers["x-amz-checksum-sha256"] != nil })
    #expect(server.requests.filter { $0.headers["x-amz-checksum-algorithm"] == "SHA256" }.count == 1)
  }

  /// A server that does not say that it keeps checksums of parts gets none.
  @Test func partsHaveNoChecksumsWhereNobodyKeepsThem() throws {
    let server = PretendS3()
    try put(13 << 20, "large", in: server.store())
    #expect(server.requests.allSatisfy { $0.headers["x-amz-checksum-sha256"] == nil })
  }

  @Test(arguments: [501, 400]) func aServerThatRefusesChecksumsIsAskedWithoutThem(_ status: Int) throws {
    for count in [5, 13 << 20] {
      let server = PretendS3()
      server.fail(.init("", count == 5 ? "key1" : "uploads=", .refuse(status, "NotImplemented")))
      let store = server.store()
      for key in ["key1", "key2"] { try put(count, key, in: store) }
      let checked = server.requests.filter { request in
        Self.checksumHeaders.contains { request.headers[$0] != nil }
      }
      #expect(checked.count == 1)
    }
  }

  /// A refusal that has another reason does not turn them off.
  @Test func anotherRefusalDoesNotTurnChecksumsOff() throws {
    let server = PretendS3()
    server.fail(.init("PUT", "key", .refuse(501, "NotImplemented"), times: 2))
    let store = server.store()
    #expect(throws: S3Error.notImplemented(location: server.location, what: "s3:PutObject")) {
      try put(1, "key", in: store)
    }
    try put(1, "key", in: store)
    #expect(server.requests.last?.headers["x-amz-checksum-sha256"] != nil)
  }

  /// An archive has a name of its own: nobody looks whether it is there, unless the joining is tried again.
  @Test func anArchiveIsNotLookedForBeforeItsPartsAreJoined() throws {
    let server = PretendS3()
    let store = server.store { $0.isArchive = { $0 == "archive" } }
    try put(13 << 20, "archive", in: store)
    #expect(server.requests.filter { $0.method == "GET" }.count == 0)
    #expect(server.requests.last?.headers["if-none-match"] == "*")
    try put(13 << 20, "other", in: store)
    #expect(server.requests.filter { $0.method == "GET" }.count == 1)
    #expect(throws: StoreError.alreadyExists(key: "archive", location: server.location)) {
      try put(13 << 20, "archive", in: store)
    }
    let singleWriter = server.store { ($0.isArchive, $0.isSingleWriter) = ({ _ in true }, true) }
    #expect(throws: StoreError.alreadyExists(key: "archive", location: server.location)) {
      try put(14 << 20, "archive", in: singleWriter)
    }
  }

  /// Damage is repaired where an object cannot be read at all while it is away.
  @Test(arguments: [100, 13 << 20]) func aReplacementTakesThePlaceOfAnObjectInOneStep(_ count: Int) throws {
    try put(count, "key", in: store)
    var random = SeededRandom(seed: 4)
    let bytes = random.bytes(count)
    for isCommitted in [false, true] {
      let replacement = try #require(try store.replacement(of: "key"))
      let size = try #require(replacement.partBytes)
      for start in stride(from: 0, to: count, by: size) {
        try send(bytes[start..<min(count, start + size)], replacement, at: start)
      }
      #expect(try read("key") == [UInt8](repeating: 1, count: count), "it is replaced before the commit")
      if isCommitted { try replacement.commit() } else { replacement.abort() }
    }
    #expect(try read("key") == bytes)
    #expect(try SeaweedFS.shared.unfinishedUploads(below: prefix) == [])
  }

  /// The object that was there has the same length, so its length shows nothing.
  @Test func aReplacementDoesNotCountIfNobodyKnowsWhoseBytesAreThere() throws {
    let server = PretendS3()
    let store = server.store()
    try put(13 << 20, "key", in: store)
    server.fail(.init("POST", "uploadId=", .refuse(404, "NoSuchUpload")))
    let replacement = try #require(try store.replacement(of: "key"))
    let size = try #require(replacement.partBytes)
    try send([UInt8](repeating: 2, count: size)[...], replacement, at: 0)
    #expect(throws: S3Error.refused(location: server.location, status: 404, code: "NoSuchUpload")) {
      try replacement.commit()
    }
  }

  @Test func aUserWhoMayOnlyAddReplacesNothing() throws {
    let server = PretendS3()
    server.fail(.init("PUT", "key", .refuse(403, "AccessDenied")))
    let replacement = try #require(try server.store().replacement(of: "key"))
    #expect(throws: StoreError.removalRefused(key: "key", location: server.location, .s3)) { try replacement.commit() }
  }

  @Test func aUserWhoMayOnlyReadIsTold() throws {
    let reader = SeaweedFS.shared.store(prefix: prefix) { settings in
      settings.credentials = { _ in S3Credentials(accessKeyID: "reader", secretKey: "readersecret") }
    }
    let writer = try reader.create("key")
    #expect(throws: S3Error.notPermitted(location: reader.location, action: "s3:PutObject")) { try writer.commit() }
    let other = try store.create("key")
    try other.commit()
    #expect(throws: StoreError.removalRefused(key: "key", location: reader.location, .s3)) { try reader.remove("key") }
    #expect(try reader.names(below: "") == ["key"])
    let wrong = SeaweedFS.shared.store(prefix: prefix) { settings in
      settings.credentials = { _ in S3Credentials(accessKeyID: "reader", secretKey: "wrong") }
    }
    #expect(throws: S3Error.credentialsRefused(location: wrong.location, code: "SignatureDoesNotMatch")) {
      try wrong.names(below: "")
    }
  }
}
