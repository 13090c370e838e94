internal import HoldfastModel
internal import HoldfastSystem

/// The multipart uploads of a bucket that have not been completed. Their parts cost money until they are aborted.
struct S3Uploads {
  let client: S3Client

  /// An upload that is not completed.
  struct Entry {
    let key: String
    let id: String
  }

  func abort(key: String, id: String) throws {
    let answer = try client.answer(S3Request("DELETE", key, query: [("uploadId", id)]))
    guard answer.isSuccess || answer.status == 404 else {
      throw client.failure(answer, key: key, "s3:AbortMultipartUpload")
    }
  }

  /// Aborts all uploads below a prefix, page by page. The uploads stay if the server has none to list, or does not list
  /// them to this user. Some may stay too if the server repeats a page of uploads that were aborted.
  func abortAll(below prefix: String) throws {
    try forEach(below: prefix) { try abort(key: $0.key, id: $0.id) }
  }

  /// Returns all uploads below a prefix; none if the server has no such uploads, or does not list them to this user.
  func entries(below prefix: String) throws -> [Entry] {
    var entries: [Entry] = []
    try forEach(below: prefix) { entries.append($0) }
    return entries
  }

  private func forEach(below prefix: String, _ body: (Entry) throws -> Void) throws {
    var markers: [(String, String)] = []
    var progress = ListingProgress(client)
    while let page = try page(below: prefix, markers, &progress) {
      try page.entries.forEach(body)
      guard let (key, id) = page.next, progress.isNew("\(key)/\(id)", nil) else { return }
      markers = [("key-marker", key), ("upload-id-marker", id)]
    }
  }

  /// A page of a listing, and the marker at which the next one begins.
  private typealias Page = (entries: [Entry], next: (key: String, id: String)?)

  /// - Returns: `nil` if the server lists no uploads.
  private func page(
    below prefix: String, _ markers: [(String, String)], _ progress: inout ListingProgress
  ) throws -> Page? {
    let request = S3Request("GET", nil, query: [("uploads", ""), ("prefix", prefix)] + markers)
    let answer = try client.answer(request)
    guard answer.isSuccess else {
      switch client.failure(answer, key: nil, "s3:ListBucketMultipartUploads") {
      // Gateways that have no such list refuse it in one of these ways; rclone by 404 and NoSuchUpload.
      case S3Error.notPermitted, S3Error.notImplemented, S3Error.refused(_, status: 404...405, _): return nil
      case let failure: throw failure
      }
    }
    try progress.take(answer)
    guard let page = XMLElement.parse(answer.body), page.name == "ListMultipartUploadsResult" else { return nil }
    let entries = page.all("Upload").compactMap { upload -> Entry? in
      guard let key = S3Listing.key(upload["Key"], page), let id = upload["UploadId"]?.text, key.hasPrefix(prefix)
      else { return nil }
      return Entry(key: key, id: id)
    }
    guard page["IsTruncated"]?.text == "true", let key = page["NextKeyMarker"]?.text,
      let id = page["NextUploadIdMarker"]?.text
    else { return (entries, nil) }
    return (entries, (key, id))
  }
}
