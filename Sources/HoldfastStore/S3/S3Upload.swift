internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is being sent: with one request if it is shorter than a part, otherwise in parts.
final class S3Upload: ObjectUpload {
  /// The length of a part, in bytes. S3 takes parts of at least 5 MiB, and 10,000 of them.
  static let partBytes = 6 << 20

  /// The rule for an object that has the key already.
  enum Existing {
    /// It stays: the server refuses to replace it.
    /// - Parameter isLookedFor: true to look for it before parts are joined, because some servers then replace it.
    case keptByServer(isLookedFor: Bool)
    /// It stays: it is looked for before the commit, because the server replaces objects.
    case keptByLooking
    case replaced
  }

  private enum Phase {
    /// An object that is shorter than a part.
    case single([UInt8])
    case parts(Parts)
    case committed
    case aborted
  }

  /// The parts that the server has taken.
  private struct Parts {
    let id: String
    /// True if the server verifies the SHA-256 of each part, and wants the digests again when the parts are joined.
    let areChecked: Bool
    /// The XML of each part for the request that joins them, by its number from 1 on.
    var elements: [Int: String] = [:]
    var length: UInt64 = 0
  }

  private let client: S3Client
  private let key: String
  private let name: String
  /// The headers that say how the object is kept: its storage class and its lock.
  private let headers: [(name: String, value: String)]
  private let existing: Existing
  private let phase = Mutex<Phase>(.single([]))
  /// True if a try to join the parts may have succeeded.
  private let mayBeJoined = Atomic(false)

  /// - Parameter headers: the headers that say how the object is kept: its storage class and its lock.
  init(
    _ client: S3Client, key: String, name: String, headers: [(name: String, value: String)], _ existing: Existing
  ) {
    self.client = client
    self.key = key
    self.name = name
    self.headers = headers
    self.existing = existing
  }

  deinit { abort() }

  var partBytes: Int? { Self.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    if offset == 0, bytes.count < Self.partBytes {
      return phase.withLock { $0 = .single(Array(bytes)) }
    }
    let begun = try begun()
    let number = Int(offset / UInt64(Self.partBytes)) + 1
    let answer = try client.success(
      S3Request(
        "PUT", key, query: [("partNumber", String(number)), ("uploadId", begun.id)],
        checksum: begun.areChecked ? .ofBody : nil), "s3:PutObject", body: bytes)
    guard let tag = answer.headers["etag"] else {
      throw StoreError.unavailable(location: client.location, reason: "it does not name a part that it has taken")
    }
    let checksum = answer.headers[S3Request.Checksum.header].map { "<ChecksumSHA256>\($0)</ChecksumSHA256>" }
    phase.withLock { phase in
      guard case .parts(var parts) = phase else { return }
      parts.elements[number] = "<PartNumber>\(number)</PartNumber><ETag>\(tag)</ETag>\(checksum ?? "")"
      parts.length = max(parts.length, offset + UInt64(bytes.count))
      phase = .parts(parts)
    }
  }

  /// Returns the multipart upload, and begins it if there is none yet.
  private func begun() throws -> Parts {
    try phase.withLock { phase in
      switch phase {
      case .parts(let parts): return parts
      case .committed, .aborted: throw StoreError.notFound(key: name, location: client.location)
      case .single:
        client.prepareTransfer()
        let answer = try client.answer(
          S3Request("POST", key, query: [("uploads", "")], headers: headers, checksum: .ofParts))
        guard answer.isSuccess else { throw failure(answer) }
        guard let id = XMLElement.parse(answer.body)?["UploadId"]?.text, !id.isEmpty else {
          if !XMLElement.isAvailable { throw S3Error.noParser }
          throw StoreError.unavailable(location: client.location, reason: "it does not name a multipart upload")
        }
        let parts = Parts(id: id, areChecked: answer.headers[S3Request.Checksum.algorithmHeader] != nil)
        phase = .parts(parts)
        return parts
      }
    }
  }

  private var conditions: [(name: String, value: String)] {
    if case .keptByServer = existing { [("If-None-Match", "*")] } else { [] }
  }

  private var isReplacing: Bool {
    if case .replaced = existing { true } else { false }
  }

  // MARK: Commit

  /// Sends the last part and commits. If an earlier answer was lost, the parts may be joined already: then the server
  /// no longer knows the upload, and takes no part.
  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    if !mayBeJoined.load(ordering: .relaxed) { try send(bytes, at: offset) }
    try commit()
  }

  func commit() throws {
    switch phase.withLock({ $0 }) {
    case .committed: return
    case .aborted: throw StoreError.notFound(key: name, location: client.location)
    case .single(let bytes): try put(bytes)
    case .parts(let parts): try complete(parts)
    }
    phase.withLock { $0 = .committed }
  }

  private func put(_ bytes: [UInt8]) throws {
    // Without conditional writes, the best that can be done is to look first.
    if case .keptByLooking = existing, try isThere(bytes) { return }
    let answer = try bytes.withUnsafeBytes { body in
      try client.answer(S3Request("PUT", key, headers: conditions + headers, checksum: .ofBody), body: body)
    }
    if answer.isSuccess { return }
    // An earlier try may have succeeded although its answer was lost.
    if answer.status == 412, try isThere(bytes) { return }
    throw failure(answer)
  }

  private func failure(_ answer: HTTPAnswer) -> any Error {
    let failure =
      S3Retention.lock(headers)
      ? S3Retention.failure(client, answer, key: name, "s3:PutObject and s3:PutObjectRetention")
      : client.failure(answer, key: name, "s3:PutObject")
    // A user who may only add is refused a request without the condition.
    if isReplacing, case S3Error.notPermitted = failure {
      return StoreError.removalRefused(key: name, location: client.location, .s3)
    }
    return failure
  }

  /// Looks for these bytes under the key.
  /// - Returns: false if nothing has the key.
  /// - Throws: `StoreError.alreadyExists` if other bytes have it.
  private func isThere(_ bytes: [UInt8]) throws -> Bool {
    do {
      let object = try S3Object(opening: client, key: key, name: name)
      guard object.length == UInt64(bytes.count) else { throw alreadyExists }
      var found = [UInt8](repeating: 0, count: bytes.count)
      try found.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
      guard found == bytes else { throw alreadyExists }
      return true
    } catch StoreError.notFound {
      return false
    }
  }

  private var alreadyExists: StoreError { .alreadyExists(key: name, location: client.location) }

  /// True if the object is looked for before the parts are joined: a server may then replace an object despite the
  /// condition. Nobody else uses the name of an archive, and most large objects are archives.
  private var isLookedFor: Bool {
    switch existing {
    case .keptByServer(let isLookedFor): isLookedFor
    case .keptByLooking: true
    case .replaced: false
    }
  }

  private func complete(_ parts: Parts) throws {
    if isReplacing { return try join(parts, isTriedAgain: false) }
    let isTriedAgain = mayBeJoined.load(ordering: .relaxed)
    if isTriedAgain || isLookedFor, let found = try lengthOfExisting() {
      guard found == parts.length, isTriedAgain else { throw alreadyExists }
      return
    }
    mayBeJoined.store(true, ordering: .relaxed)
    try join(parts, isTriedAgain: isTriedAgain)
  }

  /// - Throws: also if the parts may be joined, but an object that was there before may have their length.
  private func join(_ parts: Parts, isTriedAgain: Bool) throws {
    let elements = parts.elements.sorted { $0.key < $1.key }.map { "<Part>\($0.value)</Part>" }
    let body = Array("<CompleteMultipartUpload>\(elements.joined())</CompleteMultipartUpload>".utf8)
    let answer = try body.withUnsafeBytes { bytes in
      try client.answer(S3Request("POST", key, query: [("uploadId", parts.id)], headers: conditions), body: bytes)
    }
    // An answer may begin as a success and end with an error.
    if answer.isSuccess {
      guard let document = XMLElement.parse(answer.body), document.name != "Error" else {
        throw StoreError.unavailable(location: client.location, reason: "it did not join the parts of \(name)")
      }
      return
    }
    // A request that arrives again finds the upload completed, or the object in existence.
    let isCompleted = !isReplacing && (answer.isRepeated || isTriedAgain)
    if isCompleted, [404, 412].contains(answer.status), try lengthOfExisting() == parts.length { return }
    // Another client has made an object with the same key since.
    if answer.status == 412 { throw alreadyExists }
    throw failure(answer)
  }

  private func lengthOfExisting() throws -> UInt64? {
    do {
      return try S3Object(opening: client, key: key, name: name).length
    } catch StoreError.notFound {
      return nil
    }
  }

  func abort() {
    let id: String? = phase.withLock { phase in
      defer { if case .committed = phase {} else { phase = .aborted } }
      guard case .parts(let parts) = phase else { return nil }
      return parts.id
    }
    // If an upload cannot be aborted now, S3Uploads finds it later.
    if let id { try? S3Uploads(client: client).abort(key: key, id: id) }
  }
}
