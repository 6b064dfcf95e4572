"""Names that careless servers and their people have; none stands in a published honeypot's defaults."""

HOST_STEMS = (
    "web", "www", "app", "db", "mail", "mx", "git", "ci", "build", "dev", "stage", "test", "backup", "store",
    "proxy", "gw", "vpn", "mon", "log", "ns", "edge", "node", "api", "shop", "crm", "wiki", "media", "files", "cache",
    "relay", "core", "cron", "batch", "panel", "radius",
)  # fmt: skip
DATACENTRES = (
    "fra",
    "ams",
    "nyc",
    "lon",
    "par",
    "sgp",
    "hel",
    "waw",
    "mad",
    "tor",
    "sto",
    "zrh",
    "mil",
    "prg",
    "vie",
)
DOMAIN_STEMS = (
    "nordhaus", "lumetra", "brightforge", "kestrelnet", "palmworks", "orbisoft", "velatech", "stonepath", "greyfield",
    "mapleline", "quantora", "seabright", "tallpine", "novacraft", "redfern", "ironleaf", "cloudmere", "halvorsen",
    "dreyer", "westbrook", "tidewater", "lindqvist", "morava", "castellan", "aurelis", "wexford", "silvania", "kovacs",
)  # fmt: skip
DOMAIN_ENDS = (".lan", ".local", ".internal", ".home.arpa", ".intra")
ADMINS = (
    "anna", "marek", "tobias", "lukas", "olga", "pavel", "sofia", "dmitri", "jonas", "katrin", "miguel", "nina",
    "henrik", "laura", "stefan", "yusuf", "priya", "daniel", "eva", "ivan", "martin", "paulo", "rafael", "silvia",
    "viktor", "wei", "zoltan", "claire", "bruno", "emil", "greta", "hanna", "igor", "jana", "kamil", "lena",
)  # fmt: skip
SERVICE_USERS = (
    "deploy",
    "backup-agent",
    "gitrunner",
    "www-deploy",
    "appuser",
    "nodeapp",
    "ansible",
    "ops",
    "sync",
    "builder",
)
TIMEZONES = (
    "Etc/UTC",
    "Etc/UTC",
    "Europe/Berlin",
    "Europe/Amsterdam",
    "Europe/Paris",
    "America/New_York",
    "Europe/London",
)
