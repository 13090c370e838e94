/// An object that somebody has begun and not committed. Its run may have been killed, or may still be writing it.
package struct UnfinishedObject: Sendable, Hashable {
  /// The key of the file that holds its bytes; in a bucket, the final key of the object.
  package let key: String
  /// In a bucket, the ID of its multipart upload; `nil` elsewhere.
  package let uploadID: String?

  package init(key: String, uploadID: String? = nil) { (self.key, self.uploadID) = (key, uploadID) }

  /// A text that identifies it among all unfinished objects.
  package var name: String { uploadID.map { "\(key) \($0)" } ?? key }
}
