import HoldfastModel
import HoldfastTestSupport
import Testing

/// Keys of a container or of a virtual machine are asked for directly: they travel in the clear, so no proxy may see
/// them, whatever the variables say. `HTTPProxyTests` has the proxies of buckets.
@Suite(.timeLimit(.minutes(30))) struct MetadataProxyTests {
  private static let metadata = """
    keys = json.dumps({"AccessKeyId": "id", "SecretAccessKey": "hunter2", "Token": "t",
                       "Expiration": "2100-01-01T00:00:00Z"})


    def answer(peer, request):
        peer.body()
        peer.reply(200, {}, keys if request.target.endswith(("/container", "/host")) else "host")
    """
  private let tool = Tool()
  private let bucket = PretendS3()
  private let metadata = ScriptedServer(Self.metadata)
  private let proxy = ScriptedServer("def answer(peer, request):\n    peer.reply(502)")

  @Test(arguments: ["all_proxy", "http_proxy", "ALL_PROXY"], [false, true])
  func noProxySeesThem(_ variable: String, ofContainer: Bool) {
    let address = "http://127.0.0.1:\(metadata.port)"
    let result = tool.run("init", "--unsealed", "-r", bucket.location) {
      $0.environment[variable] = "http://127.0.0.1:\(proxy.port)"
      if ofContainer {
        $0.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = address + "/container"
      } else {
        $0.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = address
      }
    }
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(proxy.requests.isEmpty)
    #expect(metadata.requests.map(\.method) == (ofContainer ? ["GET"] : ["PUT", "GET", "GET"]))
  }
}
