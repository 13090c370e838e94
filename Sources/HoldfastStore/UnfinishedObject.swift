/// An object that somebody has begun and not committed. It may belong to a run that was killed, or to one that is at
/// work.
package struct UnfinishedObject: Sendable, Hashable {
  /// The key of the file that holds its bytes; in a bucket, the key that it was to get.
  package let key: String
  /// In a bucket, the ID by which its parts are known; `nil` elsewhere.
  package let uploadID: String?

  package init(key: String, uploadID: String? = nil) { (self.key, self.uploadID) = (key, uploadID) }

  /// Tells it from every other one.
  package var name: String { uploadID.map { "\(key) \($0)" } ?? key }
}
