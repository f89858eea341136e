package scenario

// What runs in the cluster: the shop, copied until the profile is full, and what makes it a cluster.

// spec says what a workload is and does.
type spec struct {
	ns, name, kind string // Deployment, StatefulSet, DaemonSet, Node (static), CronJob
	replicas       int
	cpuLimit       float64 // cores
	memLimit       float64 // MiB
	util           float64 // share of the CPU limit used at peak
	memBase        float64 // share of the memory limit used at peak; 0 = 0.5
	medianMs       float64 // of a request; 0 = does not answer HTTP
	rootRPS        float64 // from outside, at peak
	own            float64 // requests a second from elsewhere (batch, devices), without a daily shape
	hpaMax         int
	calls          []call
	client         bool // has rest_client metrics
}

type call struct {
	to  string
	fan float64
}

// apps are the application workloads of one copy of the shop, callers before callees. The long names are those of Helm
// releases that run into the 63 characters of a host name.
var apps = []spec{
	{ns: "edge", name: "api-gateway", kind: "Deployment", replicas: 5, cpuLimit: 1, memLimit: 512, util: .42, medianMs: 18, rootRPS: 140, hpaMax: 8,
		calls: []call{{"sessions", 1}, {"catalog", .6}, {"cart", .4}, {"checkout", .12}, {"users", .5}, {"orders", .2}}},
	{ns: "edge", name: "webhooks", kind: "Deployment", replicas: 2, cpuLimit: .5, memLimit: 256, util: .25, medianMs: 12, rootRPS: 15,
		calls: []call{{"orders", .5}, {"payments", .4}}},
	{ns: "shop", name: "storefront", kind: "Deployment", replicas: 5, cpuLimit: 1, memLimit: 768, util: .42, medianMs: 45, rootRPS: 90, hpaMax: 8,
		calls: []call{{"catalog", 1.2}, {"cart", .4}, {"search", .35}, {"recommendations", .6}, {"sessions", 1}}},
	{ns: "shop", name: "checkout", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .43, medianMs: 60,
		calls: []call{{"payments", 1}, {"inventory", 1.5}, {"pricing", 2}, {"fraud-check", 1}, {"shipping", .7}}},
	{ns: "shop", name: "catalog", kind: "Deployment", replicas: 4, cpuLimit: 1, memLimit: 512, util: .4, medianMs: 9,
		calls: []call{{"pricing", .8}, {"catalog-db", .6}}},
	{ns: "shop", name: "cart", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .35, medianMs: 7},
	{ns: "shop", name: "search", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1024, util: .36, memBase: .6, medianMs: 25, hpaMax: 6,
		calls: []call{{"search-index", 1.2}}},
	{ns: "shop", name: "recommendations", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1536, util: .45, memBase: .45, medianMs: 30,
		calls: []call{{"feature-store", 1.5}}},
	{ns: "shop", name: "sessions", kind: "Deployment", replicas: 3, cpuLimit: .4, memLimit: 256, util: .3, medianMs: 3,
		calls: []call{{"sessions-cache", 1}}},
	{ns: "shop", name: "users", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .28, medianMs: 8, calls: []call{{"users-db", 1}}},
	{ns: "shop", name: "orders", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .33, medianMs: 22,
		calls: []call{{"inventory", .5}, {"notifications", .3}, {"orders-queue", .5}}},
	{ns: "shop", name: "pricing", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 256, util: .36, medianMs: 4},
	{ns: "shop", name: "inventory", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 384, util: .3, medianMs: 9, calls: []call{{"catalog-db", .5}}},
	{ns: "payments", name: "payments", kind: "Deployment", replicas: 3, cpuLimit: .6, memLimit: 512, util: .3, medianMs: 85},
	{ns: "payments", name: "fraud-check", kind: "Deployment", replicas: 3, cpuLimit: 1, memLimit: 1024, util: .4, memBase: .65, medianMs: 40,
		calls: []call{{"feature-store", 1}}},
	{ns: "platform", name: "notifications", kind: "Deployment", replicas: 3, cpuLimit: .3, memLimit: 256, util: .2, medianMs: 15},
	{ns: "platform", name: "shipping", kind: "Deployment", replicas: 3, cpuLimit: .4, memLimit: 256, util: .25, medianMs: 35},
	{ns: "platform", name: "feature-store", kind: "Deployment", replicas: 3, cpuLimit: .8, memLimit: 2048, util: .38, memBase: .6, medianMs: 5},
	{ns: "platform", name: "platform-observability-telemetry-collector-gateway-eu", kind: "Deployment", replicas: 2, cpuLimit: .5, memLimit: 512, util: .4, medianMs: 2, own: 60},
	{ns: "data", name: "catalog-db", kind: "StatefulSet", replicas: 2, cpuLimit: 2, memLimit: 2048, util: .25, memBase: .7},
	{ns: "data", name: "users-db", kind: "StatefulSet", replicas: 1, cpuLimit: 1, memLimit: 1024, util: .25, memBase: .68},
	{ns: "data", name: "sessions-cache", kind: "StatefulSet", replicas: 2, cpuLimit: .5, memLimit: 512, util: .2, memBase: .5},
	{ns: "data", name: "search-index", kind: "StatefulSet", replicas: 3, cpuLimit: 1, memLimit: 2048, util: .3, memBase: .72},
	{ns: "data", name: "orders-queue", kind: "StatefulSet", replicas: 3, cpuLimit: .5, memLimit: 1024, util: .15, memBase: .6},
}

// system are the workloads that make it a cluster. Their use does not follow the shop.
var system = []spec{
	{ns: "kube-system", name: "coredns", kind: "Deployment", replicas: 3, cpuLimit: .5, memLimit: 170, util: .12, memBase: .3},
	{ns: "kube-system", name: "kube-proxy", kind: "DaemonSet", cpuLimit: 0, memLimit: 0, util: .02},
	{ns: "kube-system", name: "cni-agent", kind: "DaemonSet", cpuLimit: .5, memLimit: 512, util: .1, memBase: .35},
	{ns: "monitoring", name: "node-exporter", kind: "DaemonSet", cpuLimit: .25, memLimit: 180, util: .08, memBase: .25},
	{ns: "kube-system", name: "etcd", kind: "Node", util: .12},
	{ns: "kube-system", name: "kube-apiserver", kind: "Node", util: .35},
	{ns: "kube-system", name: "kube-controller-manager", kind: "Node", util: .05, client: true},
	{ns: "kube-system", name: "kube-scheduler", kind: "Node", util: .02, client: true},
	{ns: "monitoring", name: "kube-state-metrics", kind: "Deployment", replicas: 1, cpuLimit: .1, memLimit: 250, util: .1, memBase: .4},
	{ns: "monitoring", name: "prometheus-k8s", kind: "StatefulSet", replicas: 2, cpuLimit: 2, memLimit: 4096, util: .15, memBase: .5},
	{ns: "ingress-nginx", name: "ingress-nginx-controller", kind: "Deployment", replicas: 2, cpuLimit: 1, memLimit: 512, util: .2, memBase: .4},
	{ns: "cert-manager", name: "cert-manager", kind: "Deployment", replicas: 1, cpuLimit: .1, memLimit: 128, util: .1, memBase: .4, client: true},
	{ns: "ci", name: "ci-deployer", kind: "Deployment", replicas: 1, cpuLimit: .5, memLimit: 384, util: .15, memBase: .4, client: true},
}
