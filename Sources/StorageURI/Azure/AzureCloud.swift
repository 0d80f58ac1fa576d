/// The clouds of Azure, which share nothing.
enum AzureCloud: String, CaseIterable, Sendable {
    case global = "AzurePublicCloud"
    case usGovernment = "AzureUSGovernmentCloud"
    case china = "AzureChinaCloud"
    case germany = "AzureGermanCloud"

    /// - Parameter name: In letters of either case; the Azure CLI says `AzureCloud` and `AzureUSGovernment`.
    init?(name: String) {
        let name = name.lowercased()
        let found = Self.allCases.first { $0.rawValue.lowercased() == name }
        switch (found, name) {
        case (let cloud?, _): self = cloud
        case (nil, "azurecloud"): self = .global
        case (nil, "azureusgovernment"): self = .usGovernment
        default: return nil
        }
    }

    /// What the hosts of storage accounts end in.
    var endpointSuffix: String {
        switch self {
        case .global: "core.windows.net"
        case .usGovernment: "core.usgovcloudapi.net"
        case .china: "core.chinacloudapi.cn"
        case .germany: "core.cloudapi.de"
        }
    }

    /// Where its identities get their tokens.
    var authority: HTTPAddress {
        let host =
            switch self {
            case .global: "login.microsoftonline.com"
            case .usGovernment: "login.microsoftonline.us"
            case .china: "login.chinacloudapi.cn"
            case .germany: "login.microsoftonline.de"
            }
        return HTTPAddress(scheme: "https", authority: host, path: "")
    }
}
