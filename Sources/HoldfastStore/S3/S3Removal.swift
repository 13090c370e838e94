internal import HoldfastModel
internal import HoldfastSystem

/// Removes several objects with one request, or one after the other if the server cannot do that.
struct S3Removal {
  let client: S3Client
  /// The prefix of the location. Names in messages do not have it.
  let prefix: String
  /// Returns true if an object may be locked.
  let isLocked: @Sendable (_ name: String) -> Bool

  /// Removes objects.
  /// - Parameter keys: at most 1,000, with the prefix of the location.
  /// - Throws: `StoreError.removalRefused` if one of them may not be removed.
  func remove(_ keys: [String], connections: Int) throws {
    let body = Array(
      ("<Delete><Quiet>true</Quiet>"
        + keys.map { "<Object><Key>\(Self.escaped($0))</Key></Object>" }.joined() + "</Delete>").utf8)
    let answer = try body.withUnsafeBytes { bytes in
      try client.answer(S3Request("POST", nil, query: [("delete", "")]), body: bytes)
    }
    guard answer.isSuccess else {
      // Ceph permits this request only to users who may remove everything in the bucket.
      switch client.failure(answer, key: nil, "s3:DeleteObject") {
      case S3Error.notImplemented, S3Error.notPermitted: break
      case let failure: throw failure
      }
      // One request first, in case this host may remove nothing.
      try remove(keys[0])
      return try SideBySide.run(keys.count - 1, threads: connections) { [self] in try remove(keys[$0 + 1]) }
    }
    guard let result = XMLElement.parse(answer.body), result.name == "DeleteResult" else {
      if !XMLElement.isAvailable { throw S3Error.noParser }
      throw StoreError.unavailable(location: client.location, reason: "it does not say what it has removed")
    }
    for error in result.all("Error") { try check(error) }
  }

  private func remove(_ key: String) throws {
    let answer = try client.answer(S3Request("DELETE", key))
    guard !answer.isSuccess, answer.status != 404, !isFolder(key) else { return }
    throw refused(key, client.failure(answer, key: key, "s3:DeleteObject"))
  }

  private func refused(_ key: String, _ failure: any Error) -> any Error {
    guard case S3Error.notPermitted = failure else { return failure }
    return refusal(key)
  }

  private func refusal(_ key: String) -> StoreError {
    let name = String(key.dropFirst(prefix.count))
    return S3Retention.refusal(client, key: key, name: name, asks: isLocked(name))
  }

  /// Returns true for the name of a folder, which is no object. rclone removes an empty folder by itself, and then
  /// fails because it is not there.
  private func isFolder(_ key: String) -> Bool { key.hasSuffix("/") }

  private func check(_ error: XMLElement) throws {
    let key = error["Key"]?.text ?? ""
    if isFolder(key) { return }
    switch error["Code"]?.text {
    case "NoSuchKey": return
    case "AccessDenied", "MethodNotAllowed", "ObjectLocked":
      throw refusal(key)
    default: throw StoreError.unavailable(location: client.location, reason: "it did not remove all objects")
    }
  }

  private static func escaped(_ key: String) -> String {
    key.reduce(into: "") { text, character in
      switch character {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      default: text.append(character)
      }
    }
  }
}
