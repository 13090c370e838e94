/// Text that names a server as other programs take it: `ssh://backup@nas/srv`, `backup@nas:/srv`, `S3:https://…`.
enum OtherAddress {
  /// Schemes of other programs for a bucket.
  private static let bucketSchemes: Set = ["s3", "s3a", "s3n", "http", "https", "minio", "b2", "gs"]

  /// The scheme of the location that is probably meant; `nil` for text that is a path.
  /// - Parameter isDirectory: whether there is a directory by the name of the text. It counts for text that has the
  ///   form of a server only because of its `@` and `:`.
  static func likelyScheme(of text: String, isDirectory: (String) -> Bool) -> StoreScheme? {
    let first = text.prefix { $0 != "/" }
    guard let colon = first.firstIndex(of: ":") else { return nil }
    let word = first[..<colon]
    let scheme = word.lowercased()
    let isOurs = [StoreScheme.sftp, .s3].contains { $0.rawValue == scheme }
    if isScheme(word), isOurs || text[colon...].hasPrefix("://") {
      return scheme == "file" ? .directory : bucketSchemes.contains(scheme) ? .s3 : .sftp
    }
    return first.contains("@") && !isDirectory(text) ? .sftp : nil
  }

  /// Whether it has the form of a scheme (RFC 3986).
  private static func isScheme(_ word: Substring) -> Bool {
    word.first.map { $0.isASCII && $0.isLetter } ?? false
      && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
  }
}
