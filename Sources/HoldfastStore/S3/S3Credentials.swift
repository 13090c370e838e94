package import HoldfastModel

/// Keys with which requests are signed. They are never printed.
package struct S3Credentials: Sendable, Equatable {
  package let accessKeyID: String
  package let secretKey: String
  /// The token that belongs to temporary keys; `nil` for others.
  package let sessionToken: String?
  /// The time at which temporary keys end; `nil` for keys that do not.
  package let end: Timestamp?

  package init(accessKeyID: String, secretKey: String, sessionToken: String? = nil, end: Timestamp? = nil) {
    self.accessKeyID = accessKeyID
    self.secretKey = secretKey
    self.sessionToken = sessionToken
    self.end = end
  }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible {
  package var description: String { "S3 credentials" }
  package var debugDescription: String { description }
}
