internal import HoldfastModel
internal import HoldfastSystem

/// The multipart uploads of a bucket that have not been completed. Their parts cost money until they are aborted.
struct S3Uploads {
  private static let pagesMax = 10_000
  let client: S3Client

  /// An upload that is not completed.
  struct Entry {
    let key: String
    let id: String
    /// When it began, as the server writes it.
    let begun: String
  }

  func forEach(below prefix: String, _ body: (Entry) throws -> Void) throws {
    var markers: [(String, String)] = []
    var progress = ListingProgress()
    for _ in 0..<Self.pagesMax {
      let request = S3Request("GET", nil, query: [("uploads", ""), ("prefix", prefix)] + markers)
      let answer = try client.success(request, "s3:ListBucketMultipartUploads")
      guard let page = XMLElement.parse(answer.body), page.name == "ListMultipartUploadsResult" else { return }
      for upload in page.all("Upload") {
        guard let key = upload["Key"]?.text, let id = upload["UploadId"]?.text, key.hasPrefix(prefix) else { continue }
        try body(Entry(key: key, id: id, begun: upload["Initiated"]?.text ?? ""))
      }
      guard page["IsTruncated"]?.text == "true", let key = page["NextKeyMarker"]?.text,
        let id = page["NextUploadIdMarker"]?.text
      else { return }
      // A server that begins again and again does not hold a run for ever.
      guard progress.isNew("\(key)/\(id)", nil) else { return }
      markers = [("key-marker", key), ("upload-id-marker", id)]
    }
  }

  func abort(key: String, id: String) throws {
    let answer = try client.answer(S3Request("DELETE", key, query: [("uploadId", id)]))
    guard answer.isSuccess || answer.status == 404 else {
      throw client.failure(answer, key: key, "s3:AbortMultipartUpload")
    }
  }

  /// Aborts all of them. A server that has no such uploads, or does not list them to this user, keeps them.
  func abortAll(below prefix: String) throws {
    var entries: [Entry] = []
    do {
      try forEach(below: prefix) { entries.append($0) }
    } catch let error as S3Error {
      switch error {
      case .notPermitted, .notImplemented, .refused(_, status: 404, _): return
      default: throw error
      }
    }
    for entry in entries { try abort(key: entry.key, id: entry.id) }
  }
}
